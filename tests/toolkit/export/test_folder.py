"""An export's folder: what goes on, what is refused, and that files are whole."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from tests.datasets import FakeClip
from toolkit.cli import main
from toolkit.errors import BusyError, ToolkitError
from toolkit.export.folder import ExportFile, part_clips, write_files
from toolkit.export.openface import export_openface
from toolkit.export.options import ExportOptions
from toolkit.storage import hold_folder

ALL = ExportOptions()


def test_the_same_again_writes_only_what_is_missing(
    dataset: Path, tmp_path: Path, clips: list[FakeClip]
) -> None:
    report = export_openface(dataset, tmp_path / "out", ALL)
    assert (report.num_clips, report.num_files, report.num_kept) == (3, 3, 0)
    first, second = (tmp_path / "out" / f"{clip.id}.csv" for clip in clips[:2])
    content = first.read_bytes()
    first.unlink()
    second.write_text("mine")
    assert export_openface(dataset, tmp_path / "out", ALL).num_kept == 2
    assert (first.read_bytes(), second.read_text()) == (content, "mine")


def test_a_folder_of_other_clips_or_of_something_else_is_refused(
    dataset: Path, tmp_path: Path
) -> None:
    export_openface(dataset, tmp_path / "out", ALL)
    with pytest.raises(ToolkitError, match="other clips, options"):
        export_openface(dataset, tmp_path / "out", ExportOptions(split="train"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("")
    with pytest.raises(ToolkitError, match="is not empty"):
        export_openface(dataset, tmp_path / "mine", ALL)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["note.txt"]


def test_a_file_that_fails_half_way_leaves_nothing_and_those_before_it_stay(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("stopped")

    def write(path: Path) -> None:
        path.write_text("whole")

    files = [
        ExportFile(name="a/1", num_clips=1, write=write),
        ExportFile(name="a/2", num_clips=1, write=fail),
    ]
    rows = pd.DataFrame(
        {"clip_id": ["x"], "shard_sha256": ["y"], "split": ["z"], "duration": [1.0]}
    )
    with pytest.raises(RuntimeError, match="stopped"):
        write_files(tmp_path / "out", "openface", rows, ALL, files)
    assert [path.name for path in (tmp_path / "out" / "a").iterdir()] == ["1"]


def test_two_exports_into_one_folder_do_not_meet(dataset: Path, tmp_path: Path) -> None:
    with hold_folder(tmp_path / "out", lambda: ""), pytest.raises(BusyError):
        export_openface(dataset, tmp_path / "out", ALL)


def test_files_hold_at_most_20_minutes_of_one_part_or_one_clip() -> None:
    minutes = [8.0, 8.0, 8.0, 30.0, 5.0]
    rows = pd.DataFrame({"split": ["train"] * 4 + ["val"], "duration": [60 * m for m in minutes]})
    groups = {part: [g["duration"].sum() / 60 for g in each] for part, each in part_clips(rows)}
    assert groups == {"train": [16, 8, 30], "val": [5]}


def test_the_command_reports_as_json_and_exits_with_1_where_a_folder_is_not_empty(
    dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "csv"
    command = ["export", "openface", "--data", str(dataset), "--out", str(out), "--json"]
    done = CliRunner().invoke(main, [*command, "--split", "train", "--where", "num_frames > 15"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["num_clips"] == 1 and report["minutes"] == pytest.approx(20 / 30 / 60)
    assert len(list(out.glob("*.csv"))) == 1
    assert CliRunner().invoke(main, command).exit_code == 1


def test_a_split_or_where_that_leaves_no_clip_is_an_error(dataset: Path, tmp_path: Path) -> None:
    command = ["export", "hf", "--data", str(dataset), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, [*command, "--split", "val"])
    assert done.exit_code == 1 and "no clip is left" in done.output
    assert not (tmp_path / "out").exists()
