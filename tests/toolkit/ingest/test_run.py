"""Ingest end to end on generated videos: what comes out, and what changes nothing about it."""

import contextlib
import dataclasses
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media import run_ffmpeg, vary
from tests.numbered import move_packets
from tests.runs import (
    FLAGS,
    OPTIONS,
    QUICK_FLAGS,
    QUICK_OPTIONS,
    as_plain,
    error_lines,
    read_clips,
    read_dataset,
    read_rows,
    run_ttk,
    start_ttk,
)
from toolkit.dataset import compaction
from toolkit.dataset.manifest import read_table, write_part
from toolkit.dataset.shard import ShardReader
from toolkit.dataset.split import SplitOptions, split_dataset
from toolkit.dataset.stats import yield_funnel
from toolkit.dataset.validate import validate_dataset
from toolkit.errors import BusyError, OptionsError
from toolkit.features.pose import MeshPose
from toolkit.ingest import backends, shard_maker
from toolkit.ingest.jobs import Plan, record_plan
from toolkit.ingest.options import IngestOptions
from toolkit.ingest.rejected import Stretch
from toolkit.ingest.run import ingest, plan_ingest, run_job
from toolkit.ingest.workspace import lock_dataset, open_workspace
from toolkit.schema import Reason
from toolkit.storage import hash_file

TINY = IngestOptions(
    min_frames=27, shard_minutes=0.01, frame_size=0, pose="none", au45="none", deepspeech="none",
    coefficients="none",
)  # fmt: skip
SHORT = dataclasses.replace(TINY, min_frames=10)
NONE = tuple(f"--{name}=none" for name in ("pose", "au45", "deepspeech", "coefficients"))


@pytest.fixture
def inputs(videos: Path, bad_files: dict[Path, str]) -> list[Path]:
    """What the reference was made of."""
    return [videos, next(iter(bad_files)).parent]


@pytest.fixture
def three(tmp_path: Path, short: Path) -> Path:
    """A folder with one good video of 15 frames under three names and contents."""
    content = short.read_bytes()
    folder = tmp_path / "three"
    folder.mkdir()
    for number, name in enumerate(("a.mp4", "b.mp4", "c.mp4")):
        (folder / name).write_bytes(vary(content, number))
    return folder


# --- what comes out -----------------------------------------------------------------------------


def test_everything_that_is_no_clip_has_a_row_with_its_reason_and_the_rest_goes_on(
    reference: Path, bad_files: dict[Path, str]
) -> None:
    found: dict[str, list[str]] = {}
    for row in read_rows(reference, "rejected"):
        found.setdefault(Path(row["source"]).name, []).append(row["reason"])
        assert row["message"]
        assert "\n" not in row["message"]
    assert found.keys() == {path.name for path in bad_files}
    for path, reason in bad_files.items():
        assert reason in found[path.name]
    assert len(read_rows(reference, "clips")) == 4
    assert len(read_rows(reference, "sources")) == 4 + len(bad_files)


def test_the_pictures_largest_square_is_stored_for_all_clips_of_a_source(
    tmp_path: Path, videos: Path
) -> None:
    """Of a picture twice as wide as it is high, cut into two clips."""
    video, out = tmp_path / "v" / "wide.mp4", tmp_path / "d"
    video.parent.mkdir()
    narrow = videos / "person00" / "clip00.mp4"
    run_ffmpeg("-i", narrow, "-vf", "pad=2*iw:ih:iw/2:0", "-c:a", "copy", video)
    options = dataclasses.replace(
        TINY, crop="picture", frame_size=64, clip_seconds=0.8, min_frames=15
    )
    ingest(video, options, out=out)
    clips = [clip for path in out.glob("shards/*.h5") for clip in ShardReader(path).clips]
    assert len(clips) == 2
    assert clips[0].crop == clips[1].crop
    x0, y0, x1, y1 = clips[0].crop
    width, height = (2 * value for value in clips[0].intrinsics[2:])
    assert width == 2 * height
    assert (y0, y1, x1 - x0) == (0, height, height)
    assert abs((x0 + x1) / 2 - height) < height / 5  # the face is about the middle


def test_time_without_new_pictures_is_not_measured(tmp_path: Path, videos: Path) -> None:
    """45 pictures: 0.5 s late from the 31st on, less two, jittering, at 25 and 24, as a still."""
    source, folder = videos / "person00" / "clip00.mp4", tmp_path / "videos"
    folder.mkdir()
    filters = {
        "hole": "setpts='(N/30+0.5*gte(N,30))/TB'",
        "skips": "select='not(between(n,20,21))'",
        "jitter": "setpts='(N/30+0.001*mod(N,2))/TB'",
        "slow": "fps=25",
        "slower": "fps=24",
        "still": "loop=44:1,trim=end_frame=45,setpts=N/30/TB",
    }
    for name, text in filters.items():
        sound = ("-af", "apad=whole_dur=2.2", "-fps_mode", "passthrough")
        run_ffmpeg("-i", source, "-vf", text, *sound, folder / f"{name}.mkv")
    with pytest.warns(UserWarning, match=r"has 25 pictures a second.*--fps 25") as told:
        ingest(folder, TINY, out=tmp_path / "out")
    assert sum("25 pictures" in str(warning.message) for warning in told) == 1
    clips = {Path(row["source"]).stem: row for row in read_rows(tmp_path / "out", "clips")}
    assert {
        name: (row["num_frames"], row["num_pictures"], row["valid_share"])
        for name, row in clips.items()
    } == {
        "hole": (30, 30, 1), "skips": (45, 43, 43 / 45), "jitter": (45, 45, 1),
        "slow": (46, 38, 1), "slower": (45, 36, 1),
    }  # fmt: skip
    rejected = [
        (Path(row["source"]).stem, row["reason"], round(30 * row["duration"]))
        for row in read_rows(tmp_path / "out", "rejected")
    ]
    assert ("hole", "still", 15) in rejected
    assert ("still", "still", 45) in rejected
    assert yield_funnel(tmp_path / "out").num_slow_sources == 2


def test_wrong_time_stamps_cost_one_source_its_clips_and_no_other(
    tmp_path: Path, videos: Path
) -> None:
    """The last picture at 1e8 s; 45 pictures, and as many at one time; the last sound at 1e8 s."""
    given = [videos / f"person0{k // 2}" / f"clip0{k}.mp4" for k in range(4)]
    folder, out = tmp_path / "videos", tmp_path / "out"
    folder.mkdir()
    shutil.copy(given[0], folder / "good.mp4")
    for name, kind, source in (("far", "video", given[1]), ("sound", "audio", given[2])):

        def move(stream: str, number: int, total: int, kind: str = kind) -> float:
            return 1e8 if stream == kind and number == total - 1 else 0

        move_packets(source, folder / f"{name}.mkv", move)
    run_ffmpeg("-i", given[3], "-c", "copy", tmp_path / "part.mkv")
    part = (tmp_path / "part.mkv").read_bytes()
    (tmp_path / "joined.mkv").write_bytes(part + part)
    run_ffmpeg("-i", tmp_path / "joined.mkv", "-c", "copy", folder / "stuck.mkv")
    with pytest.warns(UserWarning, match="1 packets of sound are stamped far behind"):
        ingest(folder, TINY, out=out)
    clips = {Path(row["source"]).stem: row for row in read_rows(out, "clips")}
    assert clips.keys() == {"good", "sound", "stuck"}
    assert clips["stuck"]["source_fps"] == pytest.approx(30, abs=0.1)
    assert clips["stuck"]["num_frames"] in (44, 45)
    rejected = [
        (Path(row["source"]).stem, row["message"], row["duration"])
        for row in read_rows(out, "rejected")
        if row["reason"] == "unreadable"
    ]
    assert [name for name, _, _ in rejected] == ["far", "stuck"]
    assert rejected[0][2] == 0
    assert "46 pictures stand at one time" in rejected[1][1]
    assert rejected[1][2] == pytest.approx(1.5, abs=0.04)
    assert yield_funnel(out).hours_in < 8 / 3600


def test_a_finished_run_leaves_shards_and_manifest_and_nothing_else(reference: Path) -> None:
    folders = {Path(name).parent.as_posix() for name in read_dataset(reference)["files"]}
    tables = {f"manifests/{table}" for table in ("clips", "jobs", "rejected", "sources")}
    assert folders == tables | {"shards"}
    assert not list(reference.rglob(".*"))
    assert not validate_dataset(reference)


def test_clips_are_whole_and_their_rows_say_what_is_in_the_shard(
    reference: Path, videos: Path
) -> None:
    for row in read_rows(reference, "clips"):
        reader = ShardReader(reference / row["shard"])
        clip = reader.clips[row["index"]]
        assert (clip.id, clip.identity, clip.source) == (
            row["clip_id"], row["identity"], row["source"],
        )  # fmt: skip
        assert clip.num_frames == row["num_frames"] == 45
        assert (reference / row["source"]).resolve().is_relative_to(videos)
        assert row["identity"] == (reference / row["source"]).resolve().parent.name
        assert reader.frame(row["index"], 44).shape == (256, 256, 3)
        assert row["coefficients_backend"] == "none"
        assert "face/expression" not in reader.names


def test_measuring_the_shards_again_gives_every_column_of_the_rows(reference: Path) -> None:
    assert not validate_dataset(reference, recompute=True)


CONSTANTS = {
    "face_size": 150.0, "sharpness": 20.0, "outside_share": 0.5, "speech_share": 0.5,
    "loudness": -25.0, "mouth_audio_corr": 0.4, "mouth_audio_lag": 0.2, "num_blinks": 0,
    "pitch_min": 0.0, "pitch_max": 0.0, "yaw_min": 0.0, "yaw_max": 0.0, "roll_min": 0.0,
    "roll_max": 0.0, "valid_share": 0.5, "pose_backend": "none", "options_digest": "0" * 12,
    "duration": 1.0,
}  # fmt: skip


@pytest.mark.parametrize("constants", [CONSTANTS, {"blink_onsets": [0.1]}])
def test_columns_that_are_constants_are_found_by_measuring_again(
    reference: Path, dataset: Path, constants: dict[str, object]
) -> None:
    """As bugs in ingest would write them, with the right digests; each by its name."""
    shutil.copytree(reference, dataset)
    rows = read_table(dataset, "clips").to_dict("records")
    for job in {row["job"] for row in rows}:
        of_job = [{n: as_plain(v) for n, v in r.items()} | constants for r in rows
                  if r["job"] == job]  # fmt: skip
        write_part(dataset, "clips", job, of_job)
    problems = validate_dataset(dataset, recompute=True)
    named = {word for problem in problems for word in re.findall(r"\w+", problem.message)}
    differing = {
        name
        for name, value in constants.items()
        if any(as_plain(row[name]) not in (None, value) for row in rows)
    }
    assert named & constants.keys() == differing
    assert differing >= constants.keys() - {"outside_share", "mouth_audio_lag"}


def test_a_file_that_was_cut_off_gives_what_it_holds_and_a_row_for_the_rest(
    dataset: Path, videos: Path, tmp_path: Path
) -> None:
    content = (videos / "person00" / "clip00.mp4").read_bytes()
    whole = next(at for at in range(len(content)) if content[at : at + 4] == b"mdat")
    cut = tmp_path / "b.mp4"
    cut.write_bytes(content[: whole + (len(content) - whole) // 2])
    ingest(cut, SHORT, out=dataset)
    (clip,) = read_rows(dataset, "clips")
    assert 10 <= clip["num_frames"] < 40
    lost = [row for row in read_rows(dataset, "rejected") if row["reason"] == "unreadable"]
    assert "claims 1.5 s and ends after" in lost[0]["message"]
    funnel = yield_funnel(dataset)
    assert funnel.hours_in * 3600 == pytest.approx(1.5, abs=0.07)
    assert funnel.other == pytest.approx(0, abs=1e-4)


def test_the_funnel_adds_up(reference: Path) -> None:
    funnel = yield_funnel(reference)
    assert funnel.num_clips == 4
    assert funnel.hours_out == pytest.approx(4 * 1.5 / 3600)
    parts = funnel.hours_out + sum(part.hours for part in funnel.rejected) + funnel.other
    assert parts == pytest.approx(funnel.hours_in)
    assert funnel.other == pytest.approx(0, abs=1e-4)


# --- what changes nothing -----------------------------------------------------------------------


def test_the_library_in_one_process_gives_what_the_command_gives(
    reference: Path, dataset: Path, inputs: list[Path]
) -> None:
    ingest(inputs, OPTIONS, out=dataset)
    assert read_dataset(dataset) == read_dataset(reference)


def test_two_workers_and_another_order_of_files_change_nothing(
    reference: Path, dataset: Path, inputs: list[Path]
) -> None:
    files = sorted((path for folder in inputs for path in folder.rglob("*.*")), reverse=True)
    table = dataset.with_suffix(".csv")
    rows = [f"{path.name},{path.parent.name}" for path in files]
    table.write_text("\n".join(["source,identity", *rows]))
    result = run_ttk(
        "ingest", *files, "--out", dataset, "--workers", 2, *FLAGS, "--identity", table
    )
    assert result.returncode == 0, result.stderr
    assert read_dataset(dataset) == read_dataset(reference)


def test_slices_one_after_the_other_change_nothing(
    quick_reference: Path, dataset: Path, inputs: list[Path]
) -> None:
    ran = [ingest(inputs[::-1], QUICK_OPTIONS, out=dataset, job_slice=(k, 3)) for k in (2, 0, 1)]
    assert read_dataset(dataset) == read_dataset(quick_reference)
    assert sum(len(plan.jobs) for plan in ran) == len(read_dataset(quick_reference)["jobs"])


@pytest.mark.parametrize("sliced", [True, False])
def test_processes_at_the_same_time_change_nothing(
    sliced: bool, quick_reference: Path, dataset: Path, inputs: list[Path]
) -> None:
    more = [["--job-slice", f"{k}/2"] if sliced else [] for k in range(2)]
    started = [
        start_ttk("ingest", *inputs, "--out", dataset, "--workers", 0, *QUICK_FLAGS, *flags)
        for flags in more
    ]
    words = [process.communicate(timeout=500)[1] for process in started]
    codes = sorted(process.returncode for process in started)
    assert codes == [0, 0] or (codes == [0, 3] and not sliced), words  # 3: the other is at work
    assert read_dataset(dataset) == read_dataset(quick_reference)


def test_videos_added_later_change_no_clip(
    quick_reference: Path, dataset: Path, videos: Path, inputs: list[Path]
) -> None:
    ingest([videos / "person01"], QUICK_OPTIONS, out=dataset)
    before = read_dataset(dataset)["shards"]
    ingest(inputs, QUICK_OPTIONS, out=dataset)
    assert before.items() <= read_dataset(dataset)["shards"].items()
    # arrays and rows, and not files: a folder given by itself names its own
    assert read_clips(dataset) == read_clips(quick_reference)


def test_running_again_does_nothing(dataset: Path, three: Path) -> None:
    ingest(three, SHORT, out=dataset)
    before = {path: path.stat().st_mtime_ns for path in dataset.rglob("*.*")}
    plan = ingest(three, SHORT, out=dataset)
    assert plan == Plan(jobs=(), num_done=3)
    assert {path: path.stat().st_mtime_ns for path in dataset.rglob("*.*")} == before


def test_ingest_ends_with_a_copy_of_tables_of_many_parts(
    dataset: Path, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slices, of which several may run at once, write none."""
    monkeypatch.setattr(compaction, "MIN_PARTS", 3)
    ingest(three, TINY, out=dataset, job_slice=(0, 2))
    ingest(three, TINY, out=dataset, job_slice=(1, 2))
    assert not (dataset / "manifests" / "compacted").exists()
    before = read_table(dataset, "clips")
    ingest(three, TINY, out=dataset)
    names = {path.name for path in (dataset / "manifests" / "compacted").iterdir()}
    assert names == {"clips.parquet", "rejected.parquet", "sources.parquet"}
    assert read_table(dataset, "clips").equals(before)
    assert not [problem for problem in validate_dataset(dataset) if not problem.is_note]


def test_a_job_that_ended_elsewhere_since_the_plan_is_not_run_again(
    dataset: Path, three: Path
) -> None:
    plan = plan_ingest([three], SHORT, dataset)
    ingest(three, SHORT, out=dataset)
    before = {path: path.stat().st_mtime_ns for path in dataset.rglob("*.*")}
    told: list[str] = []
    for job in plan.jobs:
        run_job(job, dataset, {}, lambda progress: told.append(progress.kind))
    assert told == ["busy"] * 3
    assert {path: path.stat().st_mtime_ns for path in dataset.rglob("*.*")} == before


def test_a_job_that_another_process_runs_is_left_to_it(dataset: Path, three: Path) -> None:
    with lock_dataset(dataset):
        record_plan(plan := plan_ingest([three], SHORT, dataset), dataset)
    told: list[tuple[str, str]] = []
    with open_workspace(dataset, plan.jobs[1].id) as folder:
        assert folder is not None
        (folder / "half").touch()
        with pytest.raises(BusyError, match=rf"process {os.getpid()} on .* has 1 of 3 jobs"):
            ingest(three, SHORT, out=dataset, on_progress=lambda p: told.append((p.kind, p.job)))
        assert (folder / "half").exists()
    assert [job for kind, job in told if kind == "busy"] == [plan.jobs[1].id]
    assert len(read_rows(dataset, "sources")) == 2
    ingest(three, SHORT, out=dataset)
    assert len(read_rows(dataset, "sources")) == 3


def test_where_another_process_has_every_job_no_model_is_loaded(
    dataset: Path, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lock_dataset(dataset):
        record_plan(plan := plan_ingest([three], SHORT, dataset), dataset)
    monkeypatch.setattr("toolkit.ingest.run.load_backends", lambda options: pytest.fail("loaded"))
    with contextlib.ExitStack() as stack:
        for job in plan.jobs:
            stack.enter_context(open_workspace(dataset, job.id))
        with pytest.raises(BusyError, match="has 3 of 3 jobs in hand") as caught:
            ingest(three, SHORT, out=dataset)
    assert caught.value.exit_code == 3


def test_the_second_of_two_commands_says_who_is_at_work_and_exits_with_3(
    dataset: Path, three: Path
) -> None:
    with lock_dataset(dataset):
        record_plan(plan := plan_ingest([three], SHORT, dataset), dataset)
    flags = ("--min-frames", "10", "--shard-minutes", "0.01", "--frame-size", "0", *NONE)
    with open_workspace(dataset, plan.jobs[0].id):
        result = run_ttk("ingest", three, "--out", dataset, *flags, "--workers", 0)
    assert result.returncode == 3, result.stderr
    (line,) = error_lines(result)
    assert f"work is still under way: process {os.getpid()} on " in line
    assert ", since 20" in line
    assert "next:" not in result.stderr


@pytest.mark.parametrize(
    ("first", "second"), [((0, 1), (0, 1)), ((0, 1), (1, 2)), ((0, 2), (0, 1))]
)
def test_a_second_ingest_of_a_dataset_is_refused_at_once_unless_both_are_slices(
    first: tuple[int, int], second: tuple[int, int], dataset: Path, three: Path
) -> None:
    told: list[str] = []

    def run_another(plan: Plan) -> None:
        with pytest.raises(BusyError, match="work is still under way: "):
            ingest(three, SHORT, out=dataset, job_slice=second, on_plan=lambda _: told.append("no"))

    ingest(three, SHORT, out=dataset, job_slice=first, on_plan=run_another)
    assert not told
    assert not list(dataset.rglob(".*"))


def test_slices_of_a_plan_may_run_at_once(dataset: Path, three: Path) -> None:
    def run_another(plan: Plan) -> None:
        ingest(three, SHORT, out=dataset, job_slice=(1, 2))

    ingest(three, SHORT, out=dataset, job_slice=(0, 2), on_plan=run_another)
    assert len(read_rows(dataset, "sources")) == 3


# --- names --------------------------------------------------------------------------------------

NAMES = [
    b"plain.mp4",
    b"with space.mp4",
    b'it\'s "quoted" `so` $HOME;&|.mp4',
    b"new\nline.mp4",
    b"-dash.mp4",
    "ünï—日本語🎬.mp4".encode(),
    b"percent%03d[1]*?.mp4",
    b"back\\slash\\xff.mp4",
    b"latin1-caf\xe9.mp4",
    b"file:concat:a|b.mp4",
]


def test_any_file_name_makes_the_whole_journey(tmp_path: Path, short: Path) -> None:
    content = short.read_bytes()
    folder = tmp_path / os.fsdecode(b"dir \xff '\n")
    folder.mkdir()
    for number, name in enumerate(NAMES):
        (folder / os.fsdecode(name)).write_bytes(vary(content, number))
    data = tmp_path / "data set"
    args = ["--out", "data set", "--workers", "0", "--min-frames", "10", "--frame-size", "0"]
    none = [f"--{name}=none" for name in ("pose", "au45", "deepspeech", "coefficients")]
    result = run_ttk("ingest", *args, *none, "--", folder.name, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    clips = read_rows(data, "clips")
    assert len({row["clip_id"] for row in clips}) == len(NAMES)
    assert len({row["source"] for row in clips}) == len(NAMES)
    assert not read_rows(data, "rejected")
    assert not validate_dataset(data)
    split_dataset(data, SplitOptions())
    shown = run_ttk("ingest", *args, *none, "--dry-run", "--", folder.name, cwd=tmp_path)
    assert "10 sources are done already" in shown.stdout
    for command in (["stats", "--by", "source"], ["stats", "--json"], ["validate"]):
        result = run_ttk(*command, "--data", data)
        assert result.returncode == 0, result.stderr


def test_a_name_with_a_leading_dash_can_be_given_from_its_own_folder(
    tmp_path: Path, three: Path
) -> None:
    (three / "a.mp4").rename(three / "-a.mp4")
    result = run_ttk("ingest", "--dry-run", "--out", tmp_path, "--", "-a.mp4", cwd=three)
    assert result.returncode == 0, result.stderr
    assert "three/-a.mp4  [three]" in result.stdout


# --- sources that change ------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("change", ["vanish", "rewrite"])
def test_a_source_that_changes_after_the_plan_has_a_row_the_rest_goes_on_and_it_is_tried_again(
    change: str, workers: int, dataset: Path, three: Path
) -> None:
    video = three / "b.mp4"
    content = video.read_bytes()

    def disturb(plan: Plan) -> None:
        if change == "vanish":
            video.unlink()
        else:
            video.write_bytes(vary(content, 9))

    ingest(three, SHORT, out=dataset, workers=workers, on_plan=disturb)
    (row,) = read_rows(dataset, "rejected")
    assert (Path(row["source"]).name, row["reason"]) == ("b.mp4", "unreadable")
    words = {"vanish": "it is gone", "rewrite": "it changed while ingest was at work: run again"}
    assert row["message"] == words[change]
    assert len(read_rows(dataset, "clips")) == 2
    if change == "vanish":
        video.write_bytes(content)  # it is back, as it was
    ingest(three, SHORT, out=dataset)
    found = [Path(row["source"]).name for row in read_rows(dataset, "clips")]
    assert found == ["a.mp4", "b.mp4", "c.mp4"]
    assert not read_rows(dataset, "rejected")
    assert not validate_dataset(dataset)


def test_what_a_folder_holds_that_is_no_file_has_a_row_each(dataset: Path, three: Path) -> None:
    os.mkfifo(three / "pipe.mp4")
    (three / "gone.mp4").symlink_to("nowhere.mp4")
    (three / "round").symlink_to(three)
    for _ in range(2):
        ingest(three, SHORT, out=dataset, workers=1)
        found = {Path(row["source"]).name: row for row in read_rows(dataset, "rejected")}
        assert found.keys() == {"pipe.mp4", "gone.mp4", "round"}
        assert {row["reason"] for row in found.values()} == {"unreadable"}
        assert found["pipe.mp4"]["message"] == "a pipe (fifo), no file"
        assert len(read_rows(dataset, "clips")) == 3
    assert not validate_dataset(dataset)
    assert yield_funnel(dataset).num_sources == 6


def test_a_dry_run_writes_nothing(tmp_path: Path, three: Path) -> None:
    result = run_ttk("ingest", three, "--out", tmp_path / "d", "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "a.mp4  [three]" in result.stdout
    assert not (tmp_path / "d").exists()


def test_a_dry_run_of_a_slice_prints_that_slice(tmp_path: Path, three: Path) -> None:
    words = ("ingest", three, "--out", tmp_path / "d", "--shard-minutes", "0.01", "--dry-run")
    slices = [run_ttk(*words, "--job-slice", part).stdout for part in ("0/2", "1/2")]
    sources = [line for text in slices for line in text.splitlines() if line.endswith("[three]")]
    names = [Path(line.removesuffix("  [three]")).name for line in sources]
    assert sorted(names) == ["a.mp4", "b.mp4", "c.mp4"]


def test_other_options_on_a_second_run_are_refused_by_name(dataset: Path, three: Path) -> None:
    ingest(three, SHORT, out=dataset)
    before = read_dataset(dataset)
    with pytest.raises(OptionsError, match="--fps 30, not 25"):
        ingest(three, IngestOptions(fps=25), out=dataset)
    assert read_dataset(dataset) == before


def test_what_gave_no_clip_is_run_again_only_when_asked(
    dataset: Path, bad_files: dict[Path, str]
) -> None:
    wanted = [path for path, reason in bad_files.items() if reason in ("no_audio", "unreadable")]
    ingest(wanted, TINY, out=dataset)
    before = read_rows(dataset, "rejected")
    assert not ingest(wanted, TINY, out=dataset).jobs
    plan = ingest(wanted, TINY, out=dataset, retry_rejected=True)
    assert {job.attempt for job in plan.jobs} == {2}
    after = read_rows(dataset, "rejected")
    for row in (*before, *after):
        del row["job"]
    assert after == before  # one row for each, not two
    assert not validate_dataset(dataset)


def test_a_copy_in_another_container_is_a_duplicate(dataset: Path, three: Path) -> None:
    """Under another name and with other metadata, in the same run and in a later one."""
    run_ffmpeg("-i", three / "a.mp4", "-c", "copy", "-metadata", "title=x", three / "d.mkv")
    ingest(three, SHORT, out=dataset)
    run_ffmpeg("-i", three / "b.mp4", "-c", "copy", three / "e.ts")
    ingest(three, SHORT, out=dataset)
    names = {Path(row["source"]).name for row in read_rows(dataset, "clips")}
    assert names == {"a.mp4", "b.mp4", "c.mp4"}
    rows = [(Path(r["source"]).name, r["reason"]) for r in read_rows(dataset, "rejected")]
    assert rows == [("d.mkv", "duplicate"), ("e.ts", "duplicate")]


def test_a_copy_in_another_container_is_looked_at_where_the_first_gave_no_clip(
    dataset: Path, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same run; a copy to the byte would give none either."""
    for name in ("b", "c"):
        (three / f"{name}.mp4").unlink()
    for name in ("d.mkv", "e.ts"):
        run_ffmpeg("-i", three / "a.mp4", "-c", "copy", three / name)
    shutil.copy(three / "a.mp4", three / "z.mp4")
    look = shard_maker.track_faces

    def fail_on_a(path: Path, *args: Any, **more: Any) -> Any:
        if path.name == "a.mp4":
            raise RuntimeError("a container that cannot be read")
        return look(path, *args, **more)

    monkeypatch.setattr(shard_maker, "track_faces", fail_on_a)
    (job,) = ingest(three, SHORT, out=dataset).jobs
    copies = [(Path(s.path).name, bool(s.duplicate_of)) for s in job.sources]
    assert copies == [("a.mp4", False), ("d.mkv", True), ("e.ts", True), ("z.mp4", True)]
    assert {Path(row["source"]).name for row in read_rows(dataset, "clips")} == {"d.mkv"}
    rows = {Path(row["source"]).name: row for row in read_rows(dataset, "rejected")}
    reasons = {name: row["reason"] for name, row in rows.items()}
    assert reasons == {"a.mp4": "failed", "e.ts": "duplicate", "z.mp4": "duplicate"}
    assert rows["e.ts"]["message"].endswith("d.mkv")
    assert not ingest(three, SHORT, out=dataset).jobs
    assert not validate_dataset(dataset)


def test_videos_renamed_onto_each_others_names_keep_their_clips(dataset: Path, three: Path) -> None:
    """A is deleted, b becomes a, c becomes b; then a comes back under a new name."""
    ingest(three, SHORT, out=dataset)
    before = {row["source_sha256"]: row["clip_id"] for row in read_rows(dataset, "clips")}
    kept = shutil.copy(three / "a.mp4", dataset.parent / "kept.mp4")
    (three / "b.mp4").rename(three / "a.mp4")
    (three / "c.mp4").rename(three / "b.mp4")
    plan = ingest(three, SHORT, out=dataset)
    assert (plan.jobs, plan.num_done, len(plan.moved)) == ((), 2, 2)
    clips = read_rows(dataset, "clips")
    assert {row["source_sha256"]: row["clip_id"] for row in clips} == before
    lies = {row["source_sha256"]: Path(row["source"]).name for row in clips}
    assert lies[hash_file(three / "a.mp4")] == "a.mp4"
    assert lies[hash_file(three / "b.mp4")] == "b.mp4"
    assert lies[hash_file(kept)] == "a.mp4"
    funnel = yield_funnel(dataset)  # what lies there now counts
    assert (funnel.num_sources, funnel.num_clips) == (2, 2)
    assert funnel.hours_out <= funnel.hours_in
    (note,) = validate_dataset(dataset)
    assert note.is_note
    assert "another video lies there now: 1 clips of what was there before stay" in note.message
    shutil.move(kept, three / "d.mp4")
    assert not ingest(three, SHORT, out=dataset).jobs
    lies = {row["source_sha256"]: Path(row["source"]).name for row in read_rows(dataset, "clips")}
    assert lies == {hash_file(three / f"{n}.mp4"): f"{n}.mp4" for n in "abd"}
    assert not [
        problem for problem in validate_dataset(dataset) if "c.mp4" not in str(problem.path)
    ]


@pytest.mark.parametrize("move", ["videos", "dataset"])
def test_videos_or_a_dataset_that_were_moved_are_done_and_validate_says_what_is_gone(
    move: str, tmp_path: Path, three: Path
) -> None:
    args = ("--workers", 0, "--shard-minutes", "0.01", "--min-frames", 10, "--frame-size", 0)
    none = [f"--{name}=none" for name in ("pose", "au45", "deepspeech", "coefficients")]
    assert run_ttk("ingest", three, "--out", tmp_path / "d", *args, *none).returncode == 0
    data = tmp_path / "d"
    clips, shards = read_rows(data, "clips"), read_dataset(data)["shards"]
    if move == "videos":
        three = three.rename(tmp_path / "moved")
    else:
        (tmp_path / "x").mkdir()
        data = data.rename(tmp_path / "x" / "d")
    told = run_ttk("validate", "--data", data)
    assert told.stdout.count("the source is gone") == 3
    assert told.stdout.endswith("3 clips, nothing is damaged; notes: 3\n")
    assert told.returncode == 0
    again = run_ttk("ingest", three, "--out", data, *args, *none)
    assert "0 sources in 0 jobs" in again.stderr
    assert "3 sources done before, 3 of them moved since" in again.stderr
    found = read_rows(data, "clips")
    assert {(data / row["source"]).resolve() for row in found} == set(three.iterdir())
    for row in (*clips, *found):
        del row["source"]
    assert (found, read_dataset(data)["shards"]) == (clips, shards)
    assert run_ttk("validate", "--data", data).stdout.endswith("3 clips, all is well\n")


def test_warnings_of_names_and_of_what_was_passed_over_are_one_line_each(
    tmp_path: Path, videos: Path
) -> None:
    for person in ("s1", "s2"):
        (tmp_path / "grid" / person / "video").mkdir(parents=True)
        shutil.copy(videos / "person00" / "clip00.mp4", tmp_path / "grid" / person / "video")
    (tmp_path / "grid" / "s1" / "notes.md").touch()
    result = run_ttk("ingest", tmp_path / "grid", "--out", tmp_path / "d", "--dry-run")
    assert "[video] (same content as ../grid/s1/video/clip00.mp4)" in result.stdout
    lines = [line for line in result.stderr.splitlines() if line.startswith("ttk: warning: ")]
    assert len(lines) == 3
    assert lines[0] == "ttk: warning: identities that look like no people: video"
    assert "folder:2 gives s1, s2" in lines[1]
    assert lines[2].endswith("passed over in the folders given: 1 .md")


# --- failures -----------------------------------------------------------------------------------


def test_a_bug_in_a_feature_costs_that_clip_and_says_so(
    dataset: Path, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract = MeshPose.extract

    def fail_on_b(self: Any, clip: Any) -> Any:
        if clip.path.name == "b.mp4":
            raise ZeroDivisionError("by\nnothing")
        return extract(self, clip)

    monkeypatch.setattr(MeshPose, "extract", fail_on_b)
    ingest(three, IngestOptions(**{**SHORT.of_arrays(), "pose": "mesh"}), out=dataset)  # type: ignore[arg-type]
    (row,) = read_rows(dataset, "rejected")
    assert (Path(row["source"]).name, row["reason"]) == ("b.mp4", "failed")
    assert row["message"] == "ZeroDivisionError: by nothing"
    assert row["duration"] == 0.5
    assert len(read_rows(dataset, "clips")) == 2


def test_a_source_that_fails_as_a_whole_has_one_row_for_all_of_it(
    dataset: Path, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(shard_maker, "prepare_clip", lambda *_, **__: fail())
    too_short = Stretch(0, 1, Reason.TOO_SHORT)
    monkeypatch.setattr(shard_maker, "cut_clips", lambda *_, **__: [too_short, Stretch(1, 14)])
    ingest(three / "a.mp4", SHORT, out=dataset)
    (row,) = read_rows(dataset, "rejected")
    assert (row["reason"], row["duration"]) == ("failed", 0.5)


def test_a_source_that_killed_its_worker_twice_is_failed(dataset: Path, three: Path) -> None:
    plan = plan_ingest([three], SHORT, dataset)
    path = plan.jobs[0].sources[0].path
    run_job(plan.jobs[0], dataset, {path: "it killed its worker 2 times"}, lambda _: None)
    (row,) = read_rows(dataset, "rejected")
    assert (row["reason"], row["message"]) == ("failed", "it killed its worker 2 times")


def test_a_message_that_is_no_utf8_does_not_stop_the_batch(
    dataset: Path, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(os.fsdecode(b"caf\xe9.mp4"))

    monkeypatch.setattr(shard_maker, "track_faces", fail)
    ingest(three, SHORT, out=dataset)
    assert {row["message"] for row in read_rows(dataset, "rejected")} == {
        "RuntimeError: caf\\udce9.mp4"
    }


@pytest.mark.parametrize(
    "wrong", [{"workers": -1}, {"job_slice": (2, 2)}, {"job_slice": (0, 0)}, {"job_slice": (-1, 2)}]
)
def test_a_callers_mistake_is_a_value_error(wrong: Any, dataset: Path, three: Path) -> None:
    with pytest.raises(ValueError, match="job_slice"):
        ingest(three, SHORT, out=dataset, **wrong)
    assert not dataset.exists()


@pytest.mark.parametrize("name", ["weights", "bfm", "interocular_mm", "openface_csv"])
def test_an_option_that_no_chosen_backend_takes_is_refused_before_anything_is_written(
    name: str, dataset: Path, three: Path
) -> None:
    value = 90.0 if name == "interocular_mm" else Path("x")
    options = dataclasses.replace(SHORT, **{name: value})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} is taken by none"):
        ingest(three, options, out=dataset)
    assert not [path for path in dataset.rglob("*") if path.is_file()]


def test_models_are_loaded_once(
    dataset: Path, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []

    class Counted(backends.Backends):
        def __init__(self, options: IngestOptions) -> None:
            made.append(options)
            super().__init__(options)

    backends.load_backends.cache_clear()
    monkeypatch.setattr(backends, "Backends", Counted)
    ingest(three, SHORT, out=dataset)
    assert len(made) == 1


def test_a_gap_free_clip_says_that_all_its_frames_are_measured(reference: Path) -> None:
    assert read_table(reference, "clips")["valid_share"].tolist() == [1.0] * 4


@pytest.fixture(autouse=True)
def _tidy(dataset: Path) -> Iterator[None]:
    yield
    shutil.rmtree(dataset, ignore_errors=True)


def test_numbers_of_the_reference_are_finite(reference: Path) -> None:
    for row in read_rows(reference, "clips"):
        numbers = [value for value in row.values() if isinstance(value, float)]
        assert np.isfinite(numbers).all()
