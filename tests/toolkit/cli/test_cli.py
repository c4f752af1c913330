"""The command line: help, exit codes, errors in one line, what goes to stdout and to stderr."""

import ast
import dataclasses
import importlib
import json
import math
import os
import pty
import re
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import toolkit
from tests import ROOT
from tests.datasets import FakeClip, write_dataset
from tests.runs import (
    FLAGS,
    command,
    error_lines,
    read_dataset,
    read_rows,
    run_fresh,
    run_ttk,
)
from toolkit.cli import COMMANDS, main
from toolkit.cli.bar import Bar, write_time
from toolkit.cli.base import Command, Group, choose_split, options_from
from toolkit.cli.export import FORMATS
from toolkit.cli.progress import IngestProgress
from toolkit.ingest.jobs import Plan
from toolkit.ingest.options import IngestOptions
from toolkit.ingest.runners.base import Progress
from toolkit.schema import Job, Source

HEAVY = (
    "torch", "mediapipe", "tensorflow", "matplotlib", "skimage", "pandas", "pyarrow", "cv2",
    "numpy", "h5py", "av", "scipy",
)  # fmt: skip


LEAVES = [name for name in COMMANDS if name != "export"] + [f"export {name}" for name in FORMATS]


def find(name: str) -> click.Command:
    found: click.Command | None = main
    for word in name.split():
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word)
    assert found is not None
    return found


# --- help ---------------------------------------------------------------------------------------


def test_the_commands_are_those_that_are_documented() -> None:
    names = ["ingest", "split", "stats", "report", "exclude", "validate", "ls", "show", "view"]
    assert list(COMMANDS) == [*names, "export", "sample", "transcribe", "weights"]
    for name, command_ in COMMANDS.items():
        module, function = command_.split(":")
        kind = Group if name == "export" else Command
        assert isinstance(getattr(importlib.import_module(module), function), kind)


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_says_what_it_does_and_shows_an_example(name: str) -> None:
    found = find(name)
    result = CliRunner().invoke(main, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert f"Example:\n    ttk {name}" in result.output
    assert "--debug" in result.output
    assert found.get_short_help_str().endswith(".")


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_has_a_help_text(name: str) -> None:
    for parameter in find(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert parameter.help[0].isupper() or parameter.help[0].isdigit(), parameter.help
            assert parameter.help.rstrip("]").rstrip().endswith((".", "use", "'.")), parameter.help


@pytest.mark.parametrize("name", LEAVES)
def test_examples_are_command_lines_that_parse(name: str) -> None:
    import shlex

    found = find(name)
    assert found.epilog is not None
    _, *words = shlex.split(found.epilog.split("Example:")[1])
    number = len(name.split())
    assert words[:number] == name.split()
    parent = click.Context(main, **main.context_settings)
    found.make_context(name, words[number:], parent=parent)


@pytest.mark.parametrize("width", ["40", "200"])
def test_the_reference_page_is_what_help_says_however_wide_the_terminal(width: str) -> None:
    result = subprocess.run(
        [sys.executable, ROOT / "docs" / "make_cli.py"], capture_output=True, text=True,
        env={**os.environ, "COLUMNS": width}, check=True, cwd=ROOT,
    )  # fmt: skip
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == result.stdout, "run make docs"


def test_every_option_of_the_stage_is_an_option_of_the_command() -> None:
    import dataclasses

    flags = {flag for parameter in find("ingest").params for flag in parameter.opts}
    for field in dataclasses.fields(IngestOptions):
        assert "--" + field.name.replace("_", "-") in flags


def test_defaults_of_the_command_are_those_of_the_stage() -> None:
    seen: list[IngestOptions] = []

    @click.command()
    @options_from(IngestOptions)
    def probe(**fields: Any) -> None:
        seen.append(IngestOptions(**fields))

    assert CliRunner().invoke(probe, []).exit_code == 0
    assert seen == [IngestOptions()]
    given = ["--fps", "25", "--frame-size", "0", "--focal", "700", "--bfm", "a b.mat"]
    assert CliRunner().invoke(probe, given).exit_code == 0
    assert seen[1] == IngestOptions(fps=25, frame_size=0, focal=700.0, bfm=Path("a b.mat"))


# --- what is loaded -----------------------------------------------------------------------------


def _loaded_by(code: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(list(sys.modules))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(ast.literal_eval(result.stdout.splitlines()[-1]))


def test_importing_the_package_loads_no_library() -> None:
    assert not _loaded_by("import toolkit") & set(HEAVY)


@pytest.mark.parametrize("words", [["--help"], ["--version"], *([n, "--help"] for n in COMMANDS)])
def test_help_loads_no_large_library(words: list[str]) -> None:
    """Not even numpy: `--help` is what a hesitant user waits for."""
    code = f"from toolkit.cli import main\nmain({words!r}, standalone_mode=False)"
    assert not _loaded_by(code) & set(HEAVY)


@pytest.mark.parametrize("words", [["--help"], ["generate", "--help"], ["evaluate", "--help"]])
def test_help_of_zoo_loads_no_large_library(words: list[str]) -> None:
    code = f"from zoo.cli import main\nmain({words!r}, standalone_mode=False)"
    assert not _loaded_by(code) & set(HEAVY)


def test_public_names_are_sorted_and_all_there() -> None:
    assert toolkit.__all__ == sorted(toolkit.__all__)
    for name in toolkit.__all__:
        assert getattr(toolkit, name).__name__ == name
    assert set(toolkit.__all__) <= set(dir(toolkit))
    with pytest.raises(AttributeError, match="nonsense"):
        toolkit.nonsense  # noqa: B018


@pytest.mark.parametrize("name", ["manifest", "shard", "split", "stats", "validate", "windows"])
def test_modules_of_a_dataset_are_imported_by_their_public_names(name: str) -> None:
    """`from toolkit.windows import WindowReader` gives the class of `toolkit.dataset.windows`."""
    public = importlib.import_module(f"toolkit.{name}")
    assert public is importlib.import_module(f"toolkit.dataset.{name}")


def test_no_public_name_is_also_a_modules_name() -> None:
    modules = {path.stem for path in Path(toolkit.__file__).parent.iterdir()}
    assert not modules & set(toolkit.__all__)


# --- exit codes and errors ----------------------------------------------------------------------

WRONG_DATA = [
    ["ingest", "gone.mp4"],
    ["ingest", "."],
    ["ingest", "some.txt", "--identity", "gone.csv"],
    ["split"],
    ["stats"],
    ["stats", "--blinks", "--json"],
    ["ls"],
    ["ls", "rejected"],
    ["show", "--first", "--out", "x.mp4"],
    ["validate"],
    ["show", "abc", "--out", "x.mp4"],
]
WRONG_USE = [
    [],
    ["nonsense"],
    ["ingest"],
    ["ingest", "x", "--fps", "24"],
    ["ingest", "x", "--workers", "-1"],
    ["ingest", "x", "--job-slice", "2/2"],
    ["ingest", "x", "--job-slice", "one"],
    ["ingest", "x", "--min-frames", "0"],
    ["ingest", "x", "--clip-seconds", "nan"],
    ["ingest", "x", "--pose", "guess"],
    ["ingest", ".", "--identity", "mother"],
    ["ingest", ".", "--identity", "folder:0"],
    ["ingest", "x", "--out", "some.txt"],
    ["split", "--ratio", "1-2"],
    ["split", "--by", "colour"],
    ["stats", "--by", "colour"],
    ["show"],
    ["show", "abc"],
    ["sample"],
    ["sample", "x", "--seconds", "0"],
    ["sample", "x", "--size", "100"],
    ["weights", "--fetch", "nonsense"],
]


def _run_here(words: list[str], folder: Path, patch: pytest.MonkeyPatch) -> Any:
    patch.chdir(folder)
    patch.setenv("COLUMNS", "100")
    (folder / "some.txt").write_text("v/a.mp4\n")
    (folder / "v").mkdir(exist_ok=True)
    if words[:2] != ["ingest", "."] or "--identity" in words:
        (folder / "v" / "a.mp4").write_text("no video")
    return CliRunner().invoke(main, words)


@pytest.mark.parametrize("words", WRONG_DATA, ids=" ".join)
def test_trouble_with_data_is_one_line_and_exit_code_1(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = _run_here(words, tmp_path, monkeypatch)
    assert result.exit_code == 1
    assert not result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith("ttk: error: ")


@pytest.mark.parametrize("words", WRONG_USE, ids=" ".join)
def test_a_mistake_in_the_command_line_is_exit_code_2_and_changes_nothing(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = _run_here(words, tmp_path, monkeypatch)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["some.txt", "v"]


def test_debug_adds_the_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = _run_here(["ingest", "gone.mp4", "--debug"], tmp_path, monkeypatch)
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "in check_inputs" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("ttk: error: ")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ValueError("two\nlines"), 2, "two lines"),
        (KeyError("k"), 1, "unexpected KeyError: 'k': run again with --debug"),
        (RuntimeError(""), 1, "unexpected RuntimeError: : run again with --debug"),
        (MemoryError(), 1, "memory is short"),
        (OSError(5, "Input/output error", "x.h5"), 1, "x.h5"),
        (KeyboardInterrupt(), 1, "interrupted"),
    ],
)
def test_any_error_is_one_line(error: BaseException, code: int, words: str) -> None:
    def fail() -> None:
        raise error

    failing = Command("fail", callback=fail, example="ttk fail")
    result = CliRunner().invoke(failing, [])
    assert result.exit_code == code
    (line,) = result.stderr.splitlines()
    assert line.startswith("fail: error: ")  # the name of the program, whose command it is
    assert words in line


def test_a_name_that_is_not_utf8_can_be_complained_about(tmp_path: Path) -> None:
    result = run_ttk("ingest", Path(os.fsdecode(b"caf\xe9.mp4")), "--out", tmp_path)
    assert result.returncode == 1
    (line,) = error_lines(result)
    assert "no such file or folder" in line


def test_a_copied_process_does_what_a_new_one_does(
    tmp_path: Path, bad_files: dict[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code, output and errors, in its folder and environment: `run_ttk` stands for `run_fresh`."""
    monkeypatch.setenv("TTK_WEIGHTS", str(tmp_path / "weights"))
    path = next(path for path, reason in bad_files.items() if reason == "no_audio")
    for words in (
        ["weights"],
        ["stats", "--nonsense"],
        ["ingest", path, "--workers", 0],
        ["ingest", path, "--workers", 1],  # where all is done
    ):
        told = []
        for run in (run_fresh, run_ttk):
            folder = tmp_path / run.__name__
            folder.mkdir(exist_ok=True)
            result = run(*words, cwd=folder)
            stderr = [line for line in result.stderr.splitlines() if "frames, " not in line]
            told.append((result.returncode, result.stdout, stderr))
        assert told[0] == told[1]
    assert read_dataset(tmp_path / "run_fresh") == read_dataset(tmp_path / "run_ttk")


# --- progress and results -----------------------------------------------------------------------


def test_an_ingest_reports_progress_in_plain_lines_and_prints_the_funnel(
    tmp_path: Path, videos: Path, bad_files: dict[Path, str]
) -> None:
    silent = next(path for path, reason in bad_files.items() if reason == "no_audio")
    good = videos / "person00" / "clip00.mp4"
    words = ("ingest", silent, good, "--out", tmp_path / "a d", *FLAGS)
    result = run_ttk(*words, "--workers", 0)
    assert result.returncode == 0, result.stderr
    assert "2 sources in 2 jobs, 0.1 min of video; 0 sources done before" in result.stderr
    assert "\x1b" not in result.stderr + result.stdout
    line = next(line for line in result.stdout.splitlines() if line.startswith("no clip of "))
    assert line.endswith(f"{silent.name}: the file has no audio stream (no_audio)")
    assert "sources in" not in result.stdout
    assert result.stderr.splitlines()[-1] == f"next: ttk stats --data '{tmp_path / 'a d'}'"
    again = run_ttk(*words, "--json")
    assert json.loads(again.stdout)["rejected"][0]["reason"] == "no_audio"
    assert "next:" not in again.stderr
    planned = run_ttk(*words, "--json", "--dry-run")
    assert json.loads(planned.stdout) == {
        "jobs": [], "num_done": 2, "moved": {}, "left": [], "estimate": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sources", "command"),
    [("ab", "stats"), ("aab", "split --by clip"), ("abc", "split"), ("aabc", "split")],
)
def test_what_comes_next_can_be_done_with_what_is_there(
    sources: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = [FakeClip(source=f"{s}.mp4", start_frame=100 * k) for k, s in enumerate(sources)]
    write_dataset(tmp_path / "d", {"j": clips})
    line = choose_split(tmp_path / "d")
    assert line == f"ttk {command} --data {tmp_path / 'd'}"
    assert CliRunner().invoke(main, line.split()[1:]).exit_code == 0


def test_an_ingest_that_ends_without_any_clip_is_an_error_and_says_what_became_of_the_files(
    tmp_path: Path, bad_files: dict[Path, str]
) -> None:
    paths = [path for path, reason in bad_files.items() if reason in ("no_audio", "unreadable")]
    for more in ((), ("--json",)):
        result = run_ttk("ingest", *paths, "--out", tmp_path / "d", *FLAGS, "--workers", 0, *more)
        assert result.returncode == 1
        (line,) = error_lines(result)
        assert "no clip at all" in line
        assert "next:" not in result.stderr
        assert ("zero_bytes.mp4: the file is empty (unreadable)" in result.stdout) is (not more)


def test_a_slice_without_jobs_is_done_at_once(tmp_path: Path, videos: Path) -> None:
    path = videos / "person00" / "clip00.mp4"
    codes = [
        run_ttk("ingest", path, "--out", tmp_path / "d", *FLAGS, "--workers", 0, "--job-slice",
                f"{k}/40").returncode
        for k in (0, 1)
    ]  # fmt: skip
    assert codes == [0, 0]  # at most one of them had the job


@pytest.mark.parametrize(
    "words",
    [["stats", "--json"], ["stats", "--blinks", "--by", "identity", "--json"],
     ["validate", "--json"], ["weights", "--json"], ["split", "--json", "--by", "clip"]],
    ids=" ".join,
)  # fmt: skip
def test_json_is_one_document_on_stdout(words: list[str], reference: Path, tmp_path: Path) -> None:
    import shutil

    data = tmp_path / "data"
    shutil.copytree(reference, data)
    where = [] if words[0] == "weights" else ["--data", str(data)]
    result = CliRunner().invoke(main, [*words, *where])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) is not None


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock's one number, s; no line is said again while it stands."""
    seconds = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: seconds[0])
    monkeypatch.setattr("toolkit.cli.bar.BEAT", math.inf)
    return seconds


def _make_plan(count: int) -> Plan:
    sources = tuple(
        Source(path=f"{k}.mp4", size=1, mtime_ns=1, sha256=str(k), identity="a", duration=60.0)
        for k in range(count)
    )
    return Plan(jobs=(Job(id="j", sources=sources, options={}),), num_done=2)


def test_progress_says_videos_frames_a_second_and_time_left(
    capsys: pytest.CaptureFixture[str], now: list[float]
) -> None:
    with IngestProgress() as progress:
        progress.start(_make_plan(4))
        for _ in range(60):
            progress.advance(Progress("frames", "j", "0.mp4", 60))
        now[0] += 30
        progress.advance(Progress("done", "j", "0.mp4", 1))
        progress.advance(Progress("busy", "k"))
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.splitlines() == [
        "4 sources in 1 jobs, 4.0 min of video; 2 sources done before",
        "1/4 sources, 1800 of 7200 frames, 120/s, 1:30 left",
        "job k is left to the process that runs it",
    ]


def test_a_source_counts_once_though_its_job_is_begun_again(
    capsys: pytest.CaptureFixture[str], now: list[float]
) -> None:
    with IngestProgress() as progress:
        progress.start(_make_plan(2))
        progress.advance(Progress("done", "j", "0.mp4", 1))
        now[0] += 30  # the worker died in the second source
        progress.advance(Progress("done", "j", "0.mp4", 1))
    assert capsys.readouterr().err.splitlines()[1:] == [
        "1/2 sources, 1800 of 3600 frames, 0/s, 0:30 left"
    ]


def test_frames_are_counted_within_a_long_video_and_its_features_too(
    capsys: pytest.CaptureFixture[str], now: list[float]
) -> None:
    """40 of 60 s seen at 25 frames a second: 0.87 · 2/3 = 0.58 of the work, in 58 s."""
    with IngestProgress() as progress:
        progress.start(_make_plan(1))
        progress.advance(Progress("source", "j", "0.mp4"))
        for _ in range(50):
            progress.advance(Progress("frames", "j", "0.mp4", 20, 1500))
        now[0] += 58
        progress.advance(Progress("frames", "j", "0.mp4", 0, 1500))
        progress.advance(Progress("frames", "j", "0.mp4", 500, 1500))
        progress.advance(Progress("stored", "j", "0.mp4", 750))
        now[0] += 29
        progress.advance(Progress("stored", "j", "0.mp4", 750))
    assert capsys.readouterr().err.splitlines()[1:] == [
        "0/1 sources, 1000 of 1500 frames, 17/s, 0:42 left",
        "0/1 sources, 1500 of 1500 frames, 17/s, 0:00 left",
    ]


def test_a_source_whose_length_is_unknown_is_counted_without_a_total(
    capsys: pytest.CaptureFixture[str], now: list[float]
) -> None:
    plan = _make_plan(1)
    source = dataclasses.replace(plan.jobs[0].sources[0], duration=0.0)
    jobs = (dataclasses.replace(plan.jobs[0], sources=(source,)),)
    with IngestProgress() as progress:
        progress.start(dataclasses.replace(plan, jobs=jobs))
        now[0] += 30
        progress.advance(Progress("frames", "j", "0.mp4", 60, 0))
    assert capsys.readouterr().err.splitlines()[1:] == ["0/1 sources, 60 frames, 2/s"]


def test_the_last_line_is_said_again_where_nothing_new_happens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as while one long file is hashed: a log shows that the run lives."""
    monkeypatch.setattr("toolkit.cli.bar.BEAT", 0.0)
    with IngestProgress() as progress:
        progress.look_at(Path("long.mp4"))  # too soon for a line
        said = ""
        while not said:  # the test's own limit ends it
            time.sleep(0.05)
            said = capsys.readouterr().err
    assert said.startswith("planning: 1 sources seen, now long.mp4\n")


def watch_terminal(*words: object) -> tuple[int, str]:
    """Run `ttk` on a terminal of 80 columns; its code and everything that it shows there."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        command(*words), stdout=subprocess.DEVNULL, stderr=child,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    )  # fmt: skip
    os.close(child)
    shown = b""
    try:
        while block := os.read(parent, 4096):
            shown += block
    except OSError:
        pass  # the other end is closed
    os.close(parent)
    return process.wait(), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def test_progress_is_a_bar_on_a_terminal_with_frames_in_one_line(
    tmp_path: Path, videos: Path
) -> None:
    path = videos / "person00" / "clip00.mp4"
    code, shown = watch_terminal("ingest", path, "--out", tmp_path / "d", *FLAGS, "--workers", 0)
    assert code == 0, shown
    assert "━" in shown
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", shown)]
    ended = [
        line for line in lines if line.startswith("ingest") and "1/1 sources, 45 of 45" in line
    ]
    assert ended
    assert all(len(line) <= 80 for line in ended)


def test_showing_a_clip_says_frames_on_a_terminal(reference: Path, tmp_path: Path) -> None:
    clip = read_rows(reference, "clips")[0]["clip_id"]
    words = ("show", clip, "--data", reference, "--out", tmp_path / "clip.mp4")
    code, shown = watch_terminal(*words)
    assert code == 0, shown
    assert "45/45 frames, 0:00 left" in shown


def test_what_reports_by_calling_back_is_counted_with_the_time_left(
    capsys: pytest.CaptureFixture[str], now: list[float]
) -> None:
    """The first of four comes when it comes; the second 20 s later: two more take 40."""
    with Bar("show", "frames") as bar:
        now[0] += 3600
        bar.count(1, 4)
        now[0] += 20
        bar.count(2, 4)
    lines = ["1/4 frames, time left unknown", "2/4 frames, 0:40 left"]
    assert capsys.readouterr().err.splitlines() == lines


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3600, "1:00:00"), (-3, "0:00")],
)  # fmt: skip
def test_times_are_written_as_people_read_them(seconds: float, text: str) -> None:
    assert write_time(seconds) == text


def test_the_time_left_does_not_count_what_happens_once_before_the_first_item(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An hour until the first of three, then 20 s each."""
    times = iter([0.0, 3600.0, 3620.0, 3640.0])
    now = [next(times)]
    monkeypatch.setattr("toolkit.cli.bar.time.monotonic", lambda: now[0])

    def work() -> Iterator[int]:
        for k in range(3):
            now[0] = next(times)
            yield k

    assert list(Bar("draw", "frames").watch(work(), 3)) == [0, 1, 2]
    lines = ["1/3 frames, time left unknown", "2/3 frames, 0:20 left", "3/3 frames, 0:00 left"]
    assert capsys.readouterr().err.splitlines() == lines


def test_a_reader_that_stops_reading_is_no_error(reference: Path) -> None:
    words = subprocess.list2cmdline(command("stats", "--by", "source", "--data", reference))
    result = subprocess.run(
        ["bash", "-c", f"{words} | true"], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in result.stderr
    assert "ttk: error" not in result.stderr


def test_options_without_a_default_stand_first_and_then_the_records_own() -> None:
    """In `--help`: those that must be given, then what the command is about, then what all have."""

    @dataclasses.dataclass(kw_only=True)
    class Base:
        seed: int = dataclasses.field(default=0, metadata={"help": "x"})

    @dataclasses.dataclass(kw_only=True)
    class Own(Base):
        rate: float = dataclasses.field(default=1.0, metadata={"help": "x"})
        shards: str = dataclasses.field(metadata={"help": "x"})

    @click.command()
    @options_from(Own)
    def command(**options: object) -> None:
        """Nothing."""

    assert [param.name for param in command.params] == ["shards", "rate", "seed"]


def test_transcribing_silence_prints_an_empty_line_and_says_why(tmp_path: Path) -> None:
    wav = tmp_path / "silence.wav"
    with wave.open(str(wav), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 24000))
    result = CliRunner().invoke(main, ["transcribe", str(wav)])
    assert (result.exit_code, result.stdout) == (0, "\n")
    assert result.stderr == f"{wav}: no letter was heard in 1.5 s of sound\n"
