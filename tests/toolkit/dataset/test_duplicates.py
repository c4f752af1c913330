"""Copies of recordings in a dataset: joined in splits, listed in statistics."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from tests.datasets import FakeClip, write_dataset
from toolkit.cli import main
from toolkit.dataset.duplicates import find_duplicates
from toolkit.dataset.excluded import exclude_clips
from toolkit.dataset.manifest import find_part, read_fingerprints, read_table
from toolkit.dataset.split import SplitOptions, split_dataset
from toolkit.errors import ManifestError


def make_clip(name: str, seed: int, begin: int = 0, count: int = 40, who: str = "") -> FakeClip:
    """A clip of steps [begin, begin + count) of the recording with this seed."""
    numbers = np.random.default_rng(seed).integers(1, 1 << 59, 80)[begin : begin + count]
    return FakeClip(
        source=f"{name}.mp4",
        identity=who or name,
        num_frames=90,
        row={"fingerprint": numbers.tolist()},
    )


CLIPS = [make_clip(f"v{seed}", seed) for seed in range(8)]
COPIES = [make_clip("copy", 0, 10, 25), make_clip("other", 0, 20, 40), make_clip("twin", 3)]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Eight recordings, two copies of the first and one of the fourth, each another person's."""
    return write_dataset(tmp_path, {"a": CLIPS, "b": COPIES}, shards=False)


def read_split(dataset: Path) -> Mapping[str, str]:
    """Source -> part."""
    clips = read_table(dataset, "clips").set_index("clip_id")["source"]
    table = read_table(dataset, "split")
    return dict(zip(table["clip_id"].map(clips), table["split"], strict=True))


def forget_fingerprints(dataset: Path, job: str) -> None:
    """A part as it was written before there were any."""
    path = find_part(dataset, "clips", job)
    pq.write_table(pq.read_table(path).drop_columns(["fingerprint"]), path)


def test_fingerprints_are_read_as_they_were_written(dataset: Path) -> None:
    ids, numbers, offsets = read_fingerprints(dataset)
    assert ids == [clip.id for clip in [*CLIPS, *COPIES]]
    for place, clip in enumerate([*CLIPS, *COPIES]):
        stretch = numbers[offsets[place] : offsets[place + 1]]
        assert stretch.tolist() == clip.row["fingerprint"]
    assert "fingerprint" not in read_table(dataset, "clips")


def test_a_fingerprint_that_changed_is_found(dataset: Path) -> None:
    path = find_part(dataset, "clips", "a")
    content = pq.read_table(path)
    place = content.schema.get_field_index("fingerprint")
    changed = content["fingerprint"].combine_chunks().take([1, *range(1, 8)])
    metadata = content.schema.metadata
    content = content.set_column(place, content.schema.field(place), changed)
    pq.write_table(content.replace_schema_metadata(metadata), path)
    assert len(read_table(dataset, "clips")) == 11
    with pytest.raises(ManifestError, match="fingerprint"):
        read_fingerprints(dataset)


def test_copies_hang_together_across_cuts(dataset: Path) -> None:
    """0 to 4 s, 1 to 3.5 s and 2 to 6 s of one recording."""
    found = find_duplicates(dataset, read_table(dataset, "clips"))
    assert [group.sources for group in found.groups] == [
        ("copy.mp4", "other.mp4", "v0.mp4"),
        ("twin.mp4", "v3.mp4"),
    ]
    assert found.groups[0].identities == ("copy", "other", "v0")
    assert found.groups[0].why == "sound and picture"
    assert [group.seconds for group in found.groups] == [2.5, 4.0]
    assert found.num_unknown == 0


@pytest.mark.parametrize("by", ["source", "identity", "clip"])
@pytest.mark.parametrize("seed", range(4))
def test_copies_are_never_parted(dataset: Path, by: str, seed: int) -> None:
    report = split_dataset(dataset, SplitOptions(by=by, seed=seed))
    parts = read_split(dataset)
    assert parts["v0.mp4"] == parts["copy.mp4"] == parts["other.mp4"]
    assert parts["v3.mp4"] == parts["twin.mp4"]
    assert len(report.joined) == 2


def test_copies_of_one_identity_are_not_joined_to_it(tmp_path: Path) -> None:
    clips = [make_clip("x", 0, who="ann"), make_clip("y", 0, who="ann"), *CLIPS[1:]]
    write_dataset(tmp_path, {"a": clips}, shards=False)
    assert split_dataset(tmp_path, SplitOptions(by="identity")).joined == ()
    assert len(split_dataset(tmp_path, SplitOptions(reassign=True)).joined) == 1


def test_a_copy_that_comes_later_follows_its_recording(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"a": CLIPS}, shards=False)
    split_dataset(tmp_path)
    before = read_split(tmp_path)
    write_dataset(tmp_path, {"b": COPIES}, shards=False)
    split_dataset(tmp_path)
    after = read_split(tmp_path)
    assert {name: after[name] for name in before} == before
    assert after["copy.mp4"] == before["v0.mp4"] and after["twin.mp4"] == before["v3.mp4"]


def test_a_split_that_parts_copies_is_refused_and_can_be_made_anew(dataset: Path) -> None:
    """Fingerprints come to a dataset that was split without them."""
    known = {job: find_part(dataset, "clips", job).read_bytes() for job in "ab"}
    for job in "ab":
        forget_fingerprints(dataset, job)
    for seed in range(20):
        split_dataset(dataset, SplitOptions(seed=seed, reassign=True))
        if len({read_split(dataset)[f"{name}.mp4"] for name in ("v0", "copy", "other")}) > 1:
            break
    for job, content in known.items():
        find_part(dataset, "clips", job).write_bytes(content)
    with pytest.raises(ManifestError, match="copies of them, stand in several parts"):
        split_dataset(dataset, SplitOptions(seed=seed))
    split_dataset(dataset, SplitOptions(seed=seed, reassign=True))


def test_split_and_stats_say_what_was_joined_and_why(dataset: Path) -> None:
    result = CliRunner().invoke(main, ["split", "--data", str(dataset)])
    assert "Copies of one recording are one source: 2" in result.stdout
    assert "sound and picture agree, up to 4.0 s:\n    twin.mp4\n    v3.mp4" in result.stdout
    listed = CliRunner().invoke(main, ["stats", "--duplicates", "--data", str(dataset)])
    assert "Copies of one recording: 2" in listed.stdout
    plain = CliRunner().invoke(main, ["stats", "--data", str(dataset)])
    assert "opies" not in plain.stdout
    (text,) = [
        CliRunner().invoke(main, ["stats", "--duplicates", "--json", "--data", str(dataset)]).stdout
    ]
    groups = json.loads(text)["duplicates"]
    assert groups[1]["sources"] == ["twin.mp4", "v3.mp4"]
    assert groups[1]["seconds"] == 4


def test_excluded_and_unchosen_clips_join_nothing(dataset: Path) -> None:
    exclude_clips(dataset, [COPIES[2].id], "a copy")
    words = ["stats", "--duplicates", "--json", "--data", str(dataset), "--where", "source != 'x'"]
    assert len(json.loads(CliRunner().invoke(main, words).stdout)["duplicates"]) == 1
    assert len(split_dataset(dataset).joined) == 1


def test_a_dataset_without_fingerprints_is_split_and_says_so(dataset: Path) -> None:
    forget_fingerprints(dataset, "a")
    result = CliRunner().invoke(main, ["split", "--data", str(dataset)])
    assert result.exit_code == 0
    assert "8 clips have no fingerprint, so no copies of them are found:\n" in result.stdout
    assert split_dataset(dataset).joined[0].sources == ("copy.mp4", "other.mp4")


def test_clips_of_one_content_under_two_names_are_no_copies_but_one_source(tmp_path: Path) -> None:
    twin = replace(CLIPS[0], source="again.mp4")
    twin.row["source_sha256"] = CLIPS[0].source_sha256
    write_dataset(tmp_path, {"a": [*CLIPS[1:], twin]}, shards=False)
    assert find_duplicates(tmp_path, read_table(tmp_path, "clips")).groups == ()
