"""Clips that a person left out: in the list, in no split, in no training."""

import json
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.datasets import FakeClip, write_dataset
from toolkit.cli import main
from toolkit.dataset.excluded import exclude_clips, include_clips, read_excluded, write_excluded
from toolkit.dataset.manifest import read_table
from toolkit.dataset.options import SplitOptions
from toolkit.dataset.split import split_dataset
from toolkit.dataset.torch_windows import torch_dataset
from toolkit.errors import ManifestError, ToolkitError
from zoo.data.source import select_clips

CLIPS = [FakeClip(source=f"videos/{k}.mp4") for k in range(4)]
IDS = [clip.id for clip in CLIPS]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "set", {"j": CLIPS})


def test_a_split_has_no_clip_that_is_left_out_until_it_is_taken_in_again(dataset: Path) -> None:
    split_dataset(dataset, SplitOptions(ratio="1-1-1"))
    exclude_clips(dataset, [IDS[1]], "two voices")
    split_dataset(dataset, SplitOptions(ratio="1-1-1", reassign=True))
    assert sorted(read_table(dataset, "split")["clip_id"]) == sorted({*IDS} - {IDS[1]})
    include_clips(dataset, [IDS[1]])
    split_dataset(dataset, SplitOptions(ratio="1-1-1", reassign=True))
    assert sorted(read_table(dataset, "split")["clip_id"]) == sorted(IDS)


def test_loaders_leave_it_out_at_once_though_the_split_still_has_it(dataset: Path) -> None:
    split_dataset(dataset, SplitOptions(ratio="2-1-1"))
    split = read_table(dataset, "split")
    first, second = split.loc[split["split"] == "train", "clip_id"]
    exclude_clips(dataset, [first], "")
    assert [part.clip.id for part in select_clips(dataset, split="train")] == [second]
    assert {part.clip.id for part in select_clips(dataset)} == {*IDS} - {first}
    windows = torch_dataset(dataset, ["face/pose"], 12, split="train")
    assert len(windows) == 1
    exclude_clips(dataset, [second], "")
    with pytest.raises(ToolkitError, match="no clip"):
        select_clips(dataset, split="train")


def test_the_command_takes_short_ids_and_lists_what_is_left_out(dataset: Path) -> None:
    def run(*words: str) -> str:
        result = CliRunner().invoke(main, ["exclude", *words, "--data", str(dataset), "--json"])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert json.loads(run()) == {}
    assert json.loads(run(IDS[2][:12], "--reason", 'says "no", twice')) == {
        IDS[2]: 'says "no", twice'
    }
    text = (dataset / "manifests" / "excluded.csv").read_text("utf-8")
    assert text == f'"clip_id","reason"\n"{IDS[2]}","says ""no"", twice"\n'
    assert json.loads(run(IDS[2], "--undo")) == {}
    unknown = CliRunner().invoke(main, ["exclude", "nothing", "--data", str(dataset)])
    assert unknown.exit_code == 1
    assert "no clip's id begins with" in unknown.output


@pytest.mark.parametrize("content", [b"clip\n", b"clip_id,reason\na\n", b"clip_id,reason\n\xff,\n"])
def test_a_damaged_list_is_an_error_and_nothing_is_taken_in_by_it(
    dataset: Path, content: bytes
) -> None:
    (dataset / "manifests" / "excluded.csv").write_bytes(content)
    with pytest.raises(ManifestError, match=r"excluded\.csv: cannot be read"):
        select_clips(dataset)


@settings(max_examples=10)
@example({"1": "\r"})
@given(
    st.dictionaries(
        st.text("abc-12", min_size=1),
        st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    )
)
def test_what_is_written_is_read_again(excluded: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_excluded(Path(folder), excluded)
        assert read_excluded(Path(folder)) == excluded
