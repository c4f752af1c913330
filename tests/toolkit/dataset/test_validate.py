"""Validation: every kind of damage, done for real, is found and named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from tests.datasets import (
    FakeClip,
    make_job,
    make_rejected_row,
    make_row,
    make_source_row,
    write_dataset,
    write_shard,
)
from toolkit.cli import main
from toolkit.dataset.job_records import write_job
from toolkit.dataset.manifest import find_part, read_table, write_part, write_split
from toolkit.dataset.shard import ShardReader
from toolkit.dataset.split import PARTS, SplitOptions, split_dataset
from toolkit.dataset.validate import Problem, validate_dataset
from toolkit.dataset.windows import WindowReader
from toolkit.errors import ManifestError, ShardError
from toolkit.schema import Reason
from toolkit.storage import hash_file

CLIPS = [FakeClip(source=f"{i}.mp4", identity=f"p{i}", num_frames=10 + i) for i in range(4)]
SECOND = FakeClip(source="0.mp4", identity="p0", start_frame=50, num_frames=9)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards of 3 and 2 clips, split by source; for copying."""
    path = tmp_path_factory.mktemp("original")
    write_dataset(path, {"a": [*CLIPS[:2], SECOND], "b": CLIPS[2:]}, frame_size=16)
    split_dataset(path)
    return path


@pytest.fixture
def dataset(original: Path, tmp_path: Path) -> Path:
    """A whole dataset, to be damaged."""
    shutil.copytree(original, tmp_path / "data")
    return tmp_path / "data"


def rewrite_rows(
    dataset: Path, job: str, change: Callable[[list[dict[str, object]]], object]
) -> None:
    """Change the rows of a part of `clips`."""
    table = read_table(dataset, "clips")
    rows = [
        {name: list(v) if isinstance(v, np.ndarray) else v for name, v in row.items()}
        for row in table[table["job"] == job].to_dict("records")
    ]
    change(rows)  # type: ignore[arg-type]
    write_part(dataset, "clips", job, rows)  # type: ignore[arg-type]


def find_only(dataset: Path) -> Problem:
    """The one problem there is."""
    (problem,) = validate_dataset(dataset)
    return problem


def test_a_whole_dataset_has_no_problems(dataset: Path) -> None:
    """Neither deep nor quick; every shard is reported as it is read."""
    seen: list[Path] = []
    assert validate_dataset(dataset, progress=seen.append) == []
    assert validate_dataset(dataset, deep=False) == []
    assert [path.name for path in seen] == ["a.h5", "b.h5"]


def test_a_dataset_with_an_array_that_is_off_by_default_is_as_any_other(tmp_path: Path) -> None:
    """Its windows are those that were stored; one without it says which option makes it."""
    states = np.random.default_rng(0).normal(0, 3, (12, 384)).astype(np.float16)
    clips = [FakeClip(arrays={"audio/whisper": states})]
    with_states, without = (
        write_dataset(tmp_path / name, {"a": of})
        for name, of in (("with", clips), ("without", [FakeClip()]))
    )
    for dataset in (with_states, without):
        assert validate_dataset(dataset, recompute=False) == []
    reader = ShardReader(with_states / "shards" / "a.h5")
    batch = WindowReader([reader], ["audio/whisper", "face/au45"], 4).read(np.array([0, 8]))
    np.testing.assert_array_equal(batch["audio/whisper"], np.stack([states[:4], states[8:]]))
    assert batch["audio/whisper"].dtype == np.float16
    with pytest.raises(ShardError, match="no audio/whisper: run ttk ingest with --whisper tiny-en"):
        WindowReader([ShardReader(without / "shards" / "a.h5")], ["audio/whisper"], 4)


# --- shards -------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 0.999])
def test_a_flipped_bit_anywhere_in_a_shard_is_found(dataset: Path, share: float) -> None:
    """One bit, wherever it lies."""
    path = dataset / "shards/b.h5"
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 16
    path.write_bytes(content)
    problem = find_only(dataset)
    assert problem.path == path
    assert "digest" in problem.message
    assert "manifests/sources/b.parquet" in problem.message


def test_a_missing_shard_is_found(dataset: Path) -> None:
    """The advice names what to delete."""
    (dataset / "shards/a.h5").unlink()
    problem = find_only(dataset)
    assert problem.path == dataset / "shards/a.h5"
    assert problem.message.startswith("missing: put it back, or delete manifests/sources/a.parquet")


def test_the_manifest_alone_is_checked_without_its_shards(dataset: Path) -> None:
    assert validate_dataset(dataset) == []
    for path in (dataset / "shards").iterdir():
        path.unlink()
    assert validate_dataset(dataset, shards=False) == []
    words = ["validate", "--manifest-only", "--data", str(dataset)]
    assert CliRunner().invoke(main, words).exit_code == 0
    assert CliRunner().invoke(main, [*words, "--deep"]).exit_code == 2
    next((dataset / "manifests" / "rejected").iterdir()).unlink()
    assert CliRunner().invoke(main, words).exit_code == 1


def test_a_shard_cut_short_is_found_without_reading_it(dataset: Path) -> None:
    """Quick validation opens it only."""
    path = dataset / "shards/a.h5"
    path.write_bytes(path.read_bytes()[:5000])
    (problem,) = validate_dataset(dataset, deep=False)
    assert problem.path == path
    assert "not a whole shard" in problem.message


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("identity", "somebody"),
        ("fps", 25),
        ("duration", 1000.0),
        ("source", "other.mp4"),
        ("valid_share", 7.0),
        ("num_blinks", 99),
    ],
)
def test_a_row_that_says_other_than_the_shard_is_found(
    dataset: Path, column: str, value: object
) -> None:
    """What the shard holds, or what follows from other columns."""
    rewrite_rows(dataset, "b", lambda rows: rows[0].update({column: value}))
    problems = [p for p in validate_dataset(dataset) if column in p.message]
    assert problems[0].path == dataset / "manifests/clips/b.parquet"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("start_frame", -1), ("width", 0), ("height", -480), ("source_fps", -29.97),
        ("face_size", -1.0), ("face_size", float("inf")), ("sharpness", -0.5),
        ("outside_share", 1.5), ("num_pictures", 13), ("num_pictures", -1), ("speech_share", 1.01),
        ("loudness", 3.0), ("loudness", -121.0), ("mouth_audio_corr", -1.2),
        ("mouth_audio_lag", 30.0), ("pitch_max", 7.0), ("yaw_min", 1.0), ("roll_max", -1.0),
        ("blink_onsets", [0.1]), ("blink_onsets", None),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_found_without_digests(
    dataset: Path, column: str, value: object
) -> None:
    """Of a clip of 12 frames without blinks, whose pose is 0."""
    rewrite_rows(dataset, "b", lambda rows: rows[0].update({column: value}))
    forget_digests(find_part(dataset, "clips", "b"))
    problems = validate_dataset(dataset, deep=False)
    (problem,) = (problem for problem in problems if "cannot be so" in problem.message)
    assert problem.path == dataset / "manifests/clips/b.parquet"
    assert {"yaw_min": "yaw_min", "roll_max": "roll_min"}.get(column, column) in problem.message
    assert "cannot be so: delete manifests/sources/b.parquet" in problem.message


@pytest.mark.parametrize(
    ("onsets", "offsets", "is_right"),
    [
        ([0.1, 0.2], [0.2, 0.4], True),  # the clip's 12 frames end after 0.4 s
        ([0.1, 0.2], [0.2, 0.41], False),
        ([-0.1, 0.2], [0.1, 0.3], False),
        ([0.1, 0.2], [0.25, 0.3], False),  # one begins before the other ends
        ([0.3, 0.1], [0.4, 0.2], False),
        ([0.2, 0.3], [0.1, 0.4], False),
        ([0.1, 0.2], [0.2], False),
    ],
)
def test_blinks_lie_one_after_another_within_the_clip(
    dataset: Path, onsets: list[float], offsets: list[float], is_right: bool
) -> None:
    blinks = {"num_blinks": 2, "blink_onsets": onsets, "blink_offsets": offsets}
    rewrite_rows(dataset, "b", lambda rows: rows[0].update(blinks))
    problems = validate_dataset(dataset, deep=False)
    assert ["blink_onsets cannot be so" in problem.message for problem in problems] == (
        [] if is_right else [True]
    )


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("sources", {"size": -1}),
        ("sources", {"duration": -0.5}),
        ("sources", {"num_clips": -1}),
        ("rejected", {"start": -1.0}),
        ("rejected", {"duration": -1.0}),
        ("rejected", {"reason": "tired"}),
    ],
)
def test_sources_and_rejections_that_cannot_be_are_found(
    dataset: Path, table: str, change: dict[str, object]
) -> None:
    rejected = make_rejected_row("0.mp4", Reason.NO_FACE, 1.0, "a")
    rows = read_table(dataset, "sources").assign(moved_at=None)
    rows = [rejected] if table == "rejected" else rows[rows["job"] == "a"].to_dict("records")
    write_part(dataset, table, "a", rows)
    assert not validate_dataset(dataset, deep=False)
    rows[0] |= change
    write_part(dataset, table, "a", rows)
    messages = [problem.message for problem in validate_dataset(dataset, deep=False)]
    assert any(f"0.mp4: {next(iter(change))} cannot be so" in message for message in messages)


def test_a_clip_of_other_content_than_its_source_is_found(dataset: Path) -> None:
    rewrite_rows(dataset, "b", lambda rows: rows[0].update(source_sha256="0" * 64))
    messages = [problem.message for problem in validate_dataset(dataset, deep=False)]
    assert any("source_sha256 of 2.mp4 is not what manifests/sources" in m for m in messages)


def forget_digests(path: Path) -> None:
    """Make a part one of before there were any."""
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)


def test_a_manifest_of_before_there_were_digests_is_read(dataset: Path) -> None:
    for path in (dataset / "manifests").rglob("*.parquet"):
        forget_digests(path)
    assert not validate_dataset(dataset)


@pytest.mark.parametrize("part", ["rejected/a.parquet", "jobs/a.json"])
def test_a_missing_part_or_record_of_a_job_that_is_done_is_found(dataset: Path, part: str) -> None:
    """The shards alone do not tell what was turned down."""
    (dataset / "manifests" / part).unlink()
    problem = find_only(dataset)
    assert problem.path == dataset / "manifests" / part
    assert "missing" in problem.message


def redigest(dataset: Path, job: str) -> None:
    """Let the manifest state the digest that the shard has now."""
    sha256 = hash_file(dataset / f"shards/{job}.h5")
    rewrite_rows(dataset, job, lambda rows: [row.update(shard_sha256=sha256) for row in rows])


def test_a_shard_of_another_schema_is_found(dataset: Path) -> None:
    """Though its digest is right."""
    with h5py.File(dataset / "shards/b.h5", "r+") as file:
        file.attrs["schema_version"] = 7
    redigest(dataset, "b")
    assert find_only(dataset).message.startswith("schema version 7, not 1")


def test_a_shard_that_was_broken_when_its_digest_was_taken_is_found(dataset: Path) -> None:
    """Its JPEGs are not whole."""
    with h5py.File(dataset / "shards/b.h5", "r+") as file:
        file["video/jpeg"][0] = 0
    redigest(dataset, "b")
    assert "row 0 of video/jpeg" in find_only(dataset).message


def test_a_shard_of_other_clips_is_found(dataset: Path) -> None:
    """One clip is another, of which the manifest knows nothing."""
    write_shard(dataset / "shards/b.h5", [CLIPS[2], FakeClip(num_frames=33)], frame_size=16)
    redigest(dataset, "b")
    problem = find_only(dataset)
    assert problem.path == find_part(dataset, "clips", "b")
    assert f"clip {CLIPS[3].id} (position 1) is {FakeClip(num_frames=33).id}" in problem.message


def test_a_row_without_its_clip_is_found(dataset: Path) -> None:
    """The shard ends before."""
    extra = FakeClip(source="2.mp4", start_frame=70)
    sha256 = hash_file(dataset / "shards/b.h5")
    rewrite_rows(dataset, "b", lambda rows: rows.append(make_row(extra, "b", 2, sha256)))
    messages = [problem.message for problem in validate_dataset(dataset)]
    assert any(text.startswith(f"clip {extra.id} is not in b.h5") for text in messages)
    assert any(text.startswith("2.mp4 gave 1 clips, 2 are listed") for text in messages)


def test_a_clip_without_its_row_is_found(dataset: Path) -> None:
    """The manifest lost it."""
    rewrite_rows(dataset, "b", lambda rows: rows.pop())
    problems = validate_dataset(dataset)
    assert Problem(
        path=dataset / "shards/b.h5",
        message=f"clip {CLIPS[3].id} has no row in b.parquet: delete "
        "manifests/sources/b.parquet and run ttk ingest on its videos again",
    ) in problems  # fmt: skip


def test_a_lost_part_is_found(dataset: Path) -> None:
    """Sources say how many clips they gave; the shard has no row left."""
    find_part(dataset, "clips", "b").unlink()
    messages = [str(problem) for problem in validate_dataset(dataset)]
    assert any("2.mp4 gave 1 clips, 0 are listed" in text for text in messages)
    assert any("b.h5: no clip of the manifest lies in it" in text for text in messages)


# --- manifest -----------------------------------------------------------------------------------


def test_a_clip_twice_is_found(dataset: Path) -> None:
    """The same shard under another job's name."""
    shutil.copy(dataset / "shards/b.h5", dataset / "shards/c.h5")
    sha256 = hash_file(dataset / "shards/c.h5")
    rows = [make_row(clip, "c", index, sha256) for index, clip in enumerate(CLIPS[2:])]
    write_part(dataset, "clips", "c", rows)
    messages = [problem.message for problem in validate_dataset(dataset)]
    for clip in CLIPS[2:]:
        twice = f"clip {clip.id} stands in the manifest 2 times: delete every file of job c"
        assert any(text.startswith(twice) for text in messages)


def test_rows_of_another_schema_or_of_mixed_options_are_found(dataset: Path) -> None:
    """One dataset, one schema, one set of options."""
    rewrite_rows(dataset, "b", lambda rows: [row.update(schema_version=2) for row in rows])
    assert "schema version 2, not 1" in find_only(dataset).message
    change = {"schema_version": 1, "options_digest": "other"}
    rewrite_rows(dataset, "b", lambda rows: [row.update(change) for row in rows])
    assert "2 different sets of options" in find_only(dataset).message


def test_a_damaged_table_is_an_error_that_names_it(dataset: Path) -> None:
    """Nothing else can be said."""
    find_part(dataset, "rejected", "a").write_bytes(b"PAR1")
    with pytest.raises(ManifestError, match=r"rejected/a\.parquet: damaged"):
        validate_dataset(dataset)


def test_a_job_that_is_not_done_is_a_note(dataset: Path) -> None:
    """A killed run: run it again."""
    write_job(dataset, make_job("c", {"x.mp4": [FakeClip()]}))
    problem = find_only(dataset)
    assert problem.is_note
    assert str(problem).endswith(
        "jobs/c.json: recorded, not done (1 sources): run ttk ingest again"
    )


@pytest.mark.parametrize(
    "name", ["manifests/clips/.c.parquet.tmp", "shards/.tmp-c", "manifests/.split.parquet.tmp"]
)
def test_leftover_temporary_files_are_found(dataset: Path, name: str) -> None:
    """Files and folders."""
    (dataset / name).mkdir()
    problem = find_only(dataset)
    assert problem.path == dataset / name
    assert problem.message.startswith("temporary")


def test_a_file_that_nothing_speaks_of_is_found(dataset: Path) -> None:
    """A shard whose job is not done may yet be adopted; anything else is in the way."""
    (dataset / "shards/notes.txt").touch()
    assert "delete it" in find_only(dataset).message
    (dataset / "shards/notes.txt").rename(dataset / "shards/c.h5")
    assert "run ttk ingest again" in find_only(dataset).message


def test_sources_that_are_gone_or_replaced_are_notes(dataset: Path) -> None:
    """Of files; generated clips never had one."""
    there = (dataset / "in").absolute()
    there.mkdir()
    rows = []
    for name in ("whole", "other", "gone"):
        (there / f"{name}.mp4").write_text(name)
        clip = FakeClip(source=f"in/{name}.mp4")
        rows.append(make_source_row([clip], "c") | {"num_clips": 0, "size": len(name)})
    for table in ("clips", "rejected"):
        write_part(dataset, table, "c", [])
    write_part(dataset, "sources", "c", rows)
    write_job(dataset, make_job("c", {"in/whole.mp4": [FakeClip()]}))
    assert validate_dataset(dataset) == []
    (there / "gone.mp4").unlink()
    (there / "other.mp4").write_text("another")
    problems = validate_dataset(dataset)
    assert [(p.path.name, p.is_note) for p in problems] == [("gone.mp4", True), ("other.mp4", True)]
    assert "the source is gone: if it lies elsewhere, run ttk ingest" in problems[0].message
    assert "another file than was ingested" in problems[1].message


# --- split --------------------------------------------------------------------------------------


def rewrite_split(
    dataset: Path, change: Callable[[dict[str, str]], object], by: str = "source"
) -> None:
    """Change clip -> part."""
    table = read_table(dataset, "split")
    parts = dict(zip(table["clip_id"].tolist(), table["split"].tolist(), strict=True))
    change(parts)
    made: dict[str, object] = {"by": by, "ratio": "5-1-4", "seed": 0}
    write_split(dataset, [{"clip_id": c, "split": p, **made} for c, p in parts.items()])


def test_a_clip_without_a_part_is_found(dataset: Path) -> None:
    """New videos, not split yet."""
    rewrite_split(dataset, lambda parts: parts.pop(SECOND.id))
    problem = find_only(dataset)
    assert problem.path == dataset / "manifests/split.parquet"
    assert problem.message == f"has no part yet for clip {SECOND.id}: run ttk split"


def test_a_split_of_unknown_clips_is_found(dataset: Path) -> None:
    """Of another dataset."""
    rewrite_split(dataset, lambda parts: parts.update(x="train"))
    assert find_only(dataset).message == "holds, but the manifest does not, clip x: run ttk split"


def test_a_parted_group_is_found(dataset: Path) -> None:
    """Two clips of one source stand on two sides."""

    def part(parts: dict[str, str]) -> None:
        parts[SECOND.id] = next(p for p in PARTS if p != parts[CLIPS[0].id])

    rewrite_split(dataset, part)
    assert "clips of source 0.mp4 stand in several parts" in find_only(dataset).message
    rewrite_split(dataset, lambda parts: None, by="clip")
    assert validate_dataset(dataset) == []


def test_an_empty_or_unknown_part_is_found(dataset: Path) -> None:
    """All in one."""
    rewrite_split(dataset, lambda parts: parts.update(dict.fromkeys(parts, "dev")))
    messages = [problem.message for problem in validate_dataset(dataset)]
    assert messages == [
        "no clip is in train or val or test: run ttk split --reassign",
        "unknown parts 'dev': run ttk split --reassign",
    ]


def test_a_damaged_split_is_found(dataset: Path) -> None:
    """And the rest is checked all the same."""
    (dataset / "manifests/split.parquet").write_bytes(b"x")
    assert find_only(dataset).message.startswith("damaged")


def test_clips_that_where_left_out_of_the_split_are_no_problem(dataset: Path) -> None:
    """They were not to have a part."""
    split_dataset(dataset, SplitOptions(where="num_frames >= 10", reassign=True))
    assert validate_dataset(dataset) == []
    rewrite_split(dataset, lambda parts: None)
    assert "no part yet" in find_only(dataset).message


# --- the command --------------------------------------------------------------------------------


def test_the_command_prints_a_line_per_problem_and_exits_with_1(dataset: Path) -> None:
    """0 and one line where all is well; a note changes nothing."""
    write_job(dataset, make_job("c", {"x.mp4": [FakeClip()]}))
    fine = CliRunner().invoke(main, ["validate", "--data", str(dataset)])
    assert fine.exit_code == 0
    assert "note: " in fine.stdout
    assert fine.stdout.endswith("5 clips, nothing is damaged; notes: 1\n")
    (dataset / "shards/a.h5").unlink()
    (dataset / "shards/x").touch()
    bad = CliRunner().invoke(main, ["validate", "--data", str(dataset), "--quick"])
    assert bad.exit_code == 1
    assert len(bad.stdout.splitlines()) == 3
    as_json = CliRunner().invoke(main, ["validate", "--data", str(dataset), "--json"])
    assert as_json.exit_code == 1
    assert [entry["is_note"] for entry in json.loads(as_json.stdout)].count(False) == 2


def test_the_command_measures_again_when_asked_to(dataset: Path) -> None:
    """These rows were not measured: noise of −2000 to 2000 is not −25 dBFS loud."""
    result = CliRunner().invoke(main, ["validate", "--data", str(dataset), "--deep"])
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 5
    assert "loudness -25 (not -29.0" in result.stdout
    both = CliRunner().invoke(main, ["validate", "--data", str(dataset), "--deep", "--quick"])
    assert both.exit_code == 2
    assert "--quick, --deep or --manifest-only, not two of them" in both.stderr


def test_the_command_says_where_there_is_no_dataset(tmp_path: Path) -> None:
    """One line, exit 1."""
    result = CliRunner().invoke(main, ["validate", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "no dataset here: run ttk ingest" in result.stderr
