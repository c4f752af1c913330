"""The documentation says what the code does: links, tree, tables, numbers, commands, code."""

import re
import runpy
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner

import zoo.cli
import zoo.models
from tests import ROOT
from tests.datasets import FakeClip, write_dataset
from toolkit import schema
from toolkit.cli import main
from toolkit.dataset import manifest
from toolkit.dataset.job_records import read_jobs
from toolkit.dataset.manifest import read_fingerprints, read_table
from toolkit.dataset.split import SplitOptions, split_dataset
from toolkit.dataset.table_file import LARGE
from toolkit.facemodel.camera import deng_intrinsics, project
from toolkit.facemodel.model import load_default
from toolkit.features import BACKENDS, blink, face_detectors, pose, small_faces
from toolkit.ingest import clips
from toolkit.ingest.crops import JPEG_QUALITY
from toolkit.mesh import EAR_POINTS, IRIS_MM, MAX_AU45
from toolkit.schema import ARRAYS, DEEPSPEECH_SYMBOLS, TABLES, ClipInput, Reason, VideoInfo
from toolkit.storage import digest_record
from zoo import list_models
from zoo.metrics.table import METRICS
from zoo.models import registry

DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", ROOT / "manifests" / "README.md", *sorted(DOCS.glob("*.md")))
GENERATED = {DOCS / "cli.md"}
MAX_BYTES = 300_000
NOT_RUN = "<!-- not run"


def read_page(name: str) -> str:
    """A page's text."""
    return (ROOT / name).read_text("utf-8")


def find_blocks(text: str, language: str) -> Iterator[str]:
    """Fenced blocks of a language, less those marked as not run."""
    before = ""
    for index, part in enumerate(re.split(r"^```", text, flags=re.MULTILINE)):
        opener, _, block = part.partition("\n")
        if index % 2 and opener == language and not before.startswith(NOT_RUN):
            yield block
        before = part.rstrip().rsplit("\n", 1)[-1]


# --- links, tree, pictures ----------------------------------------------------------------------


def find_anchors(path: Path) -> set[str]:
    """What can stand behind `#`: the headings as web pages write them, and words with an id."""
    text = path.read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    words = set(re.findall(r'<a id="([^"]+)">', text))
    return words | {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file, and to a heading in it where the link names one."""
    broken = []
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in find_anchors(path)):
            broken.append(target)
    assert broken == []


def test_every_picture_is_small_and_used() -> None:
    """Under 300 kB each; none that no page shows."""
    shown = "".join(page.read_text("utf-8") for page in PAGES)
    pictures = sorted((DOCS / "figures").glob("*.png"))
    assert pictures
    assert [p.name for p in pictures if p.stat().st_size > MAX_BYTES] == []
    assert [p.name for p in pictures if f"figures/{p.name})" not in shown] == []


def read_tree() -> dict[str, str]:
    """Path -> caption, from the README's tree."""
    (block,) = (b for b in find_blocks(read_page("README.md"), "") if b.startswith("toolkit/\n"))
    found: dict[str, str] = {}
    folders: list[str] = []
    for line in block.splitlines():
        indent, name, caption = re.fullmatch(r"( *)(\S+) *(.*)", line).groups()  # type: ignore[union-attr]
        folders = folders[: len(indent) // 2]
        found["".join([*folders, name])] = caption
        if name.endswith("/"):
            folders.append(name)
    return found


def list_files() -> set[str]:
    """Everything of toolkit and zoo, and every page and script of the documentation."""
    code = (p for name in ("toolkit", "zoo") for p in (ROOT / name).rglob("*") if p.is_file())
    paths = [p for p in code if "__pycache__" not in p.parts and not p.name.startswith(".")]
    paths += [p for suffix in ("md", "py") for p in DOCS.rglob(f"*.{suffix}")]
    return {path.relative_to(ROOT).as_posix() for path in paths} | {"docs/cli.md"}


def test_the_tree_has_every_file_with_a_caption() -> None:
    """Of toolkit, zoo and the documentation; and nothing that is not there."""
    tree = read_tree()
    folders = {name for name in tree if name.endswith("/")}
    assert sorted(list_files() - tree.keys()) == []
    gone = [name for name in tree if not (ROOT / name).exists() and ROOT / name not in GENERATED]
    assert gone == []
    assert [name for name, caption in tree.items() if not caption and name not in folders] == []


# --- tables, words, numbers ---------------------------------------------------------------------


def test_the_tables_of_formats_are_those_of_the_schema() -> None:
    """Nothing would change if `python docs/make_tables.py` were run again."""
    fill_page = runpy.run_path(str(DOCS / "make_tables.py"))["fill_page"]
    text = read_page("docs/formats.md")
    assert fill_page(text) == text
    assert f"schema version {schema.SCHEMA_VERSION}" in text
    assert all(f"<!-- begin {name} -->" in text for name in ("arrays", *TABLES))
    models = read_page("docs/models.md")
    assert fill_page(models) == models
    assert all(f"| `{name}` |" in models for name in list_models())
    assert all(name in text for name in (*ARRAYS, *TABLES))
    metrics = read_page("docs/metrics.md")
    assert fill_page(metrics) == metrics
    assert all(f"| `{name}` |" in metrics for name in METRICS)


def test_formats_names_every_reason() -> None:
    """Each with what it means."""
    text = read_page("docs/formats.md")
    assert [r for r in Reason if not re.search(rf"^\| `{r}` \| \S", text, re.MULTILINE)] == []


def test_every_dependency_has_a_reason_and_no_other_has() -> None:
    """Of pyproject.toml, extras included."""
    project = tomllib.loads(read_page("pyproject.toml"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = {re.split(r"[\[<>=~! ]", text)[0] for texts in lists for text in texts} - {"ttk"}
    section = read_page("docs/architecture.md").split("## Dependencies")[1]
    rows = re.findall(r"^\| (.+) \| (.+?) \|$", section, re.MULTILINE)
    given = {name for cells, reason in rows if reason for name in re.findall(r"`([^`]+)`", cells)}
    extras = set(project["optional-dependencies"]) - wanted  # one has its package's name
    assert given - extras == wanted


def test_the_glossary_has_every_word_of_the_schema() -> None:
    """Tables, features, records, and what arrays are called."""
    rows = re.findall(r"^\| (.+?) \|", read_page("docs/glossary.md"), re.MULTILINE)
    words = {word.lower().rstrip("s") for row in rows for word in row.replace("-", " ").split()}
    records = ("source", "job", "blink", "provenance", "reason")
    names = {*TABLES, *BACKENDS, *records, *(a.feature for a in ARRAYS.values() if a.feature)}
    assert sorted(n for n in names if n.rstrip("s") not in words) == []
    for name in ARRAYS:
        parts = {part.rstrip("s") for part in name.split("/")[1].split("_")}
        assert parts & words, name


@pytest.mark.parametrize(
    ("page", "word"),
    [
        ("README.md", "onset-to-onset"),
        ("docs/speaking.md", "score"),
        ("docs/speaking.md", "spectrum-distance"),
        ("docs/results.md", "expression-error"),
    ],
)
def test_words_of_printed_tables_lead_to_the_glossary(page: str, word: str) -> None:
    """From the page that shows or explains the table; that the link ends somewhere is above."""
    assert f"glossary.md#{word})" in read_page(page)


def test_words_of_the_glossary_are_in_order() -> None:
    """Alphabetical, case aside, and each once."""
    rows = re.findall(r"^\| (.+?) \|", read_page("docs/glossary.md"), re.MULTILINE)[2:-1]
    words = [row.lower() for row in rows]
    assert words == sorted(set(words))


@pytest.mark.parametrize(
    ("axis", "text", "point", "moves"),
    [
        ("pitch", "looks down", (0, 0, -100), (0, 1)),
        ("yaw", "turns to the subject's right", (0, 0, -100), (-1, 0)),
        ("roll", "tilts to the subject's left", (0, -100, 0), (1, 0)),
    ],
)
def test_signs_of_the_pose_are_as_stated(
    axis: str, text: str, point: tuple[int, ...], moves: tuple[int, int]
) -> None:
    """Nose or crown, under a small positive angle, moves as the page says."""
    assert f"| {axis} | {text} |" in read_page("docs/conventions.md")
    pose = np.zeros(6)
    pose[5] = 600
    turned = pose.copy()
    turned[("pitch", "yaw", "roll").index(axis)] = 0.1
    camera = (500, 500, 320, 240)
    shift = project([point], turned, camera)[0] - project([point], pose, camera)[0]
    along = int(np.argmax(np.abs(moves)))
    assert np.sign(shift[along]) == moves[along]
    assert abs(shift[1 - along]) < 0.2 * abs(shift[along])


def test_numbers_of_the_conventions_are_those_of_the_code() -> None:
    """Crop, AU45, blinks, symbols: a constant that changes shows here."""
    least, most = blink.MIN_SECONDS, blink.MAX_SECONDS
    frames = f"{int(least * 30)} to {int(np.ceil(most * 30))} frames"
    text = read_page("docs/conventions.md")
    stated = (
        f"a margin of {clips.CROP_MARGIN:g} times",
        f"its side is {1 + 2 * clips.CROP_MARGIN:g} times that one",
        f"1/{1 / small_faces.LEAST_SHARE:g} of the picture's shorter side",
        f"never under {small_faces.LEAST_HEIGHT} px",
        f"raised by {clips.CROP_RAISE:g} side",
        f"dips shorter than {blink.DIP_SECONDS:g} s",
        f"between {blink.MIN_LEVEL:g} of and all of",
        f"the {blink.OPEN_PERCENTILE}th percentile",
        f"from 0 (open) to {MAX_AU45:g}",
        f"a peak of at least {blink.ON_INTENSITY:g};",
        f"fallen to {blink.OPEN_SHARE:g} of the lesser",
        f"over {blink.APEX_SHARE:g} of the peak",
        f"a running median over {blink.NOISE_SECONDS:g} s",
        f"{blink.ONE_EYE:g} is added to each share",
        f"lasts {least:g} to {most:g} s: {frames}",
        f"{int(least * 25)} to {int(np.ceil(most * 25))} at 25",
        f"outer eye corners lie {load_default().interocular:.1f} mm apart",
        f"taken as {IRIS_MM:g} mm wide",
        f"{pose.FIT_FRAMES} to {2 * pose.FIT_FRAMES} frames",
        f"turned less than {np.rad2deg(pose.MAX_YAW):.0f}°",
        f"{len(DEEPSPEECH_SYMBOLS)} scores per frame",
    )
    assert [phrase for phrase in stated if phrase not in text] == []
    assert f"the line is {face_detectors.CONFIRM_SCORE:g}." in read_page("docs/architecture.md")
    assert f"quality {JPEG_QUALITY}" in read_page("docs/formats.md")
    assert f"at most {('', 'one', 'two', 'three', 'four', 'five')[clips.MAX_GAP]} frames" in (
        read_page("docs/formats.md")
    )


def test_the_readme_has_the_measured_number_of_blinks() -> None:
    """That of the table in accuracy.md, which is measured anew from time to time."""
    row = r"^\| all \| ttk \| (\d+) \| (\d+) \| (\d+) "
    found = re.search(row, read_page("docs/accuracy.md"), re.MULTILINE)
    assert found
    true, num_found, matched = map(int, found.groups())
    text = f"{true} read by eye on real videos, of which {matched} were found, with "
    assert f"{text}{num_found - matched} false" in read_page("README.md")


def test_every_file_that_a_page_names_exists() -> None:
    """Names in backquotes that begin with a folder of the project; new ones of extending aside."""
    new = {"toolkit/features/ear.py", "toolkit/cli/people.py", *FAMILY_FILES}
    named = {
        name
        for page in PAGES
        for name in re.findall(
            r"`((?:toolkit|tests|docs|zoo)/[\w/]+\.\w+)`", page.read_text("utf-8")
        )
    }
    assert named > new
    assert sorted(name for name in named - new if not (ROOT / name).exists()) == []


# --- the example manifest -----------------------------------------------------------------------


@pytest.fixture
def tour(tmp_path: Path) -> Path:
    """A dataset without shards, made of the example as manifests/README.md says."""
    shutil.copytree(ROOT / "manifests" / "example", tmp_path / "manifests")
    return tmp_path


def test_the_example_manifest_is_of_this_schema(tour: Path) -> None:
    """Twenty whole clips of five people, one split, every row by a job that lies beside it."""
    rows = {name: read_table(tour, name) for name in TABLES}
    for name, columns in TABLES.items():
        small = [column.name for column in columns if column.name not in LARGE]
        assert list(rows[name].columns) == small, name
    assert sorted(read_fingerprints(tour)[0]) == sorted(rows["clips"]["clip_id"])
    clips_ = rows["clips"]
    assert set(clips_["schema_version"]) == {schema.SCHEMA_VERSION}
    assert {name: len(table) for name, table in rows.items()} == {
        "clips": 20, "rejected": 0, "sources": 20, "split": 20,
    }  # fmt: skip
    assert clips_["identity"].nunique() == 5
    assert set(clips_["num_frames"]) == {300}
    assert set(rows["split"]["clip_id"]) == set(clips_["clip_id"])
    assert set(rows["split"]["ratio"] + " " + rows["split"]["by"]) == {"5-1-4 source"}
    jobs = {job.id: digest_record(job.options) for job in read_jobs(tour)}
    assert set(zip(clips_["job"], clips_["options_digest"], strict=True)) == set(jobs.items())


def test_statistics_of_the_example_manifest_are_those_of_the_readme(tour: Path) -> None:
    """`ttk stats` needs no shards; the README's tour shows the same dataset."""
    arguments = ["stats", "--data", str(tour), "--blinks"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    printed = {line.rstrip() for line in result.output.splitlines()}
    after = read_page("README.md").split("ttk stats --data demo --blinks\n```\n", 1)[1]
    shown = set(next(find_blocks(after, "")).splitlines()) - {"..."}
    assert "clips                                                       20" in shown
    assert shown - printed == set()


# --- commands and code --------------------------------------------------------------------------


def list_commands() -> list[str]:
    """Every `ttk`, `zoo` and `make` line of the pages' shell blocks."""
    texts = (page.read_text("utf-8") for page in PAGES if page not in GENERATED)
    lines = (
        line for text in texts for block in find_blocks(text, "sh") for line in block.split("\n")
    )
    return [line for line in lines if line.startswith(("ttk ", "zoo ", "make "))]


@pytest.mark.parametrize("line", sorted(set(list_commands())))
def test_every_command_line_can_be_typed(line: str) -> None:
    """Command, options and their values exist; nothing is run."""
    program, name, *arguments = shlex.split(line, comments=True)
    if program == "make":
        assert re.search(rf"^{name}:", read_page("Makefile"), re.MULTILINE)
        return
    command: click.Command | None = {"ttk": main, "zoo": zoo.cli.main}[program]
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), name)
        if isinstance(command, click.Group):
            name, *arguments = arguments
    assert command is not None
    command.make_context(name, arguments)


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a dataset `demo` of random numbers as the pages use it."""
    good: dict[str, object] = {"speech_share": 0.9, "valid_share": 1.0}
    names = ("ann", "bob", "cat", "dan")
    people = [
        FakeClip(identity=name, source=f"videos/{name}.mp4", num_frames=140, row=good)
        for name in names
    ]
    write_dataset(tmp_path / "demo", {"a": people[:2], "b": people[2:]}, frame_size=256)
    split_dataset(tmp_path / "demo", SplitOptions())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_code_of_the_tours_runs(page: str, demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Block after block, as a reader would; each prints something."""
    namespace: dict[str, Any] = {}
    blocks = list(find_blocks(read_page(page), "python"))
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), namespace)
        assert capsys.readouterr().out
    assert len(namespace["windows"]) == 4 * (140 - 128 + 1)


def test_code_of_the_metrics_prints_a_value_and_names(capsys: pytest.CaptureFixture[str]) -> None:
    """As the page says: of the known pair, and what landmarks alone are enough for."""
    (block,) = find_blocks(read_page("docs/metrics.md"), "python")
    exec(compile(block, "metrics.md", "exec"), {})
    value, names = capsys.readouterr().out.splitlines()
    assert f"{float(value):.4g}" == "34.15"
    assert "'lmd.mouth'" in names


def test_code_of_the_conventions_runs() -> None:
    """The 68-point view and the vector of 257, of numbers made here."""
    n, generator = 3, np.random.default_rng(0)
    pose = np.tile([0.1, 0.2, 0.0, 0.0, 0.0, 900.0], (n, 1))
    scale, offset = np.ones(n), np.zeros((n, 2))
    namespace: dict[str, Any] = {
        "landmarks": generator.random((n, 478, 3)),
        "model_pose": pose,
        "scale": scale,
        "offset": offset,
        "intrinsics": deng_intrinsics(scale, offset),
        "identity": np.ones(80),
        "texture": np.ones(80),
        "expression": np.ones((n, 64)),
        "illumination": np.ones((n, 27)),
    }
    for block in find_blocks(read_page("docs/conventions.md"), "python"):
        exec(compile(block, "conventions.md", "exec"), namespace)
    assert namespace["points68"].shape == (n, 68, 2)
    assert namespace["vector"].shape == (n, 257)
    # a metre is their distance: 900 mm away is 1 dm nearer, along their z to the viewer
    np.testing.assert_allclose(namespace["vector"][:, 256], 1.0)


# --- extending ----------------------------------------------------------------------------------

EXTENDING = read_page("docs/extending.md")
FAMILY_FILES = tuple(
    f"zoo/models/linear/{name}.py"
    for name in ("__init__", "presets", "options", "networks", "recipe", "model")
)
"""Of the worked example of a family."""


def find_file(name: str) -> str:
    """The code that the page puts into a file of its own."""
    after = EXTENDING.split(f"`{name}`:\n", 1)[1]
    return next(find_blocks(after, "python"))


def find_change(name: str, word: str) -> str:
    """A file's source after the page's change to it that adds `word`."""
    (diff,) = (d for d in find_blocks(EXTENDING, "diff") if f"--- {name}\n" in d and word in d)
    lines = diff.splitlines()[1:]
    before = "\n".join(line[1:] for line in lines if line[0] == " ")
    after = "\n".join(line[1:] for line in lines)
    source = read_page(name)
    assert source.count(before) == 1, f"{name} has not, or more than once: {before}"
    return source.replace(before, after)


def load_source(source: str, name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of this source, under this name for as long as the test lasts."""
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(source, name, "exec"), module.__dict__)
    return module


def make_clip(num_frames: int = 60) -> ClipInput:
    """A clip whose mesh has random points; frame 30 is a blink, in frame 40 one eye is shut."""
    landmarks = np.random.default_rng(0).random((1, 478, 3), np.float32).repeat(num_frames, axis=0)
    for frames, points in zip(((30, 40), (30,)), EAR_POINTS, strict=True):
        for frame in frames:
            landmarks[frame, [points[1], points[2]]] = landmarks[frame, [points[5], points[4]]]
    return ClipInput(
        clip_id="c",
        path=Path("c.mp4"),
        fps=30,
        start_frame=0,
        num_frames=num_frames,
        picture_size=(640, 480),
        intrinsics=(500.0, 500.0, 320.0, 240.0),
        crop=(0.0, 0.0, 256.0, 256.0),
        valid=np.ones(num_frames, np.bool_),
        source_time=np.arange(num_frames) / 30,
        source_index=np.arange(num_frames),
        source_num_frames=num_frames,
        load_landmarks=landmarks.copy,
        load_pcm=lambda: np.zeros(num_frames * 16000 // 30, np.int16),
        read_frames=lambda: iter(()),
        arrays={"face/valid": np.ones(num_frames, np.bool_)},
    )


def test_the_new_backend_is_found_and_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row a frame, 0 to 5; the shut eyes stand out; the table offers it."""
    load_source(find_file("toolkit/features/ear.py"), "toolkit.features.ear", monkeypatch)
    table = find_change("toolkit/features/__init__.py", "EarAU45")
    features = load_source(table, "patched_features", monkeypatch)
    assert "ear" in features.list_extractors("au45")
    clip, extractor = make_clip(), features.create_extractor("au45", "ear")
    extractor.fit([clip])
    au45 = extractor.extract(clip)["face/au45"]
    assert au45.shape == (60,)
    assert au45.dtype == np.float32
    assert au45[[30, 40]] == pytest.approx(5, abs=1e-4)
    np.testing.assert_allclose(np.delete(au45, (30, 40)), 0, atol=1e-5)


def test_the_new_column_has_a_name_and_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the schema, and in a clip's row."""
    patched = load_source(
        find_change("toolkit/schema.py", "mouth_opening"), "patched_schema", monkeypatch
    )
    assert "mouth_opening" in [column.name for column in patched.CLIP_COLUMNS]
    describe = load_source(
        find_change("toolkit/dataset/rows.py", "mouth_opening"), "patched_describe", monkeypatch
    )
    clip = make_clip()
    info = VideoInfo(
        width=640,
        height=480,
        fps=30,
        duration=2,
        audio_start=0,
    )
    landmarks = clip.load_landmarks()
    row = describe.describe_clip(
        clip,
        landmarks=landmarks,
        pcm=clip.load_pcm(),
        sharpness=1.0,
        small=np.zeros((clip.num_frames, 64, 64), np.uint8),
        info=info,
    )
    assert row["mouth_opening"] == pytest.approx(
        float(describe.measure_opening_ratio(landmarks)[0])
    )


def test_the_new_array_has_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the schema; and ingest's source still compiles with its line."""
    patched = load_source(find_change("toolkit/schema.py", "face/mouth"), "patched", monkeypatch)
    assert patched.ARRAYS["face/mouth"].axis == "N"
    compile(find_change("toolkit/ingest/shard_maker.py", "face/mouth"), "ingest.py", "exec")


def test_the_new_command_runs(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listed in the help, and printing a line for each person."""
    load_source(find_file("toolkit/cli/people.py"), "toolkit.cli.people", monkeypatch)
    table = find_change("toolkit/cli/__init__.py", "people")
    program = load_source(table, "patched_cli", monkeypatch).main
    assert "people" in CliRunner().invoke(program, ["--help"]).output
    result = CliRunner().invoke(program, ["people", "--data", "demo"], catch_exceptions=False)
    assert result.output.splitlines() == [
        f"{name}  0.1 min" for name in ("ann", "bob", "cat", "dan")
    ]


@pytest.fixture
def linear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A dataset, while the family of the page lies in a folder where families are looked for."""
    for name in FAMILY_FILES:
        path = tmp_path / "models" / "linear" / Path(name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(find_file(name))
    monkeypatch.setattr(zoo.models, "__path__", [*zoo.models.__path__, str(tmp_path / "models")])
    registry.list_families.cache_clear()
    clips = {part: FakeClip(source=f"{part}.mp4", num_frames=140) for part in ("train", "val")}
    write_dataset(tmp_path, {part: [clip] for part, clip in clips.items()})
    write_split(tmp_path, clips)
    yield tmp_path
    registry.list_families.cache_clear()
    for name in [name for name in sys.modules if name.startswith("zoo.models.linear")]:
        del sys.modules[name]


def write_split(dataset: Path, clips: dict[str, FakeClip]) -> None:
    """Each clip in the part of its name."""
    made = {"by": "clip", "ratio": "1-1-0", "seed": 0}
    rows = [{"clip_id": clip.id, "split": part, **made} for part, clip in clips.items()]
    manifest.write_split(dataset, rows)


def test_the_new_family_needs_one_folder_and_one_record(linear: Path) -> None:
    """It is listed, made by its presets, trained, gone on with, opened; nothing else was edited."""
    assert "linear" in registry.list_models()
    assert "linear: speech features to motion by one matrix" in run_zoo("list")
    for preset, num_frames in (("wide", 16), ("narrow", 1)):
        network = registry.create_model("linear", preset=preset)
        assert network.matrix.weight.shape == (71, 29, num_frames)
        assert network(torch.zeros(2, 128 + 15, 29), torch.zeros(2, 71)).shape == (2, 128, 71)
    with pytest.raises(ValueError, match="preset 'huge': choose from wide, narrow"):
        registry.create_model("linear", preset="huge")
    words = ["train", "linear", "--shards", str(linear / "shards"), "--out", str(linear / "run"),
             "--batch-size", "2", "--device", "cpu"]  # fmt: skip
    assert "best: score" in run_zoo(*words, "--epochs", "1")
    assert "best: score" in run_zoo(*words, "--epochs", "2", "--resume")
    model = registry.open_model(linear / "run" / "best.pt", makes="motion")
    assert model.generate(np.zeros((150, 29))).shape == (150, 71)


def test_frames_of_speech_stand_where_the_new_network_takes_them_from() -> None:
    """A network that copies the middle of its speech gives that of the same frame."""
    namespace: dict[str, Any] = {}
    source = find_file("zoo/models/linear/networks.py")
    source = source.replace("from zoo.models.linear.presets import PRESETS", "PRESETS = {}")
    exec(source, namespace)
    for num_frames in (1, 16):
        network = namespace["Linear"](num_frames)
        torch.nn.init.zeros_(network.matrix.weight)
        torch.nn.init.zeros_(network.matrix.bias)
        network.matrix.weight.data[0, 0, num_frames // 2] = 1
        audio = torch.randn(1, 20 + 15, 29)
        motion = network(audio, torch.zeros(1, 71))
        torch.testing.assert_close(motion[0, :, 0], audio[0, 8:28, 0])


def run_zoo(*words: str) -> str:
    """What a command prints."""
    result = CliRunner().invoke(zoo.cli.main, words)
    assert result.exit_code == 0, result.output
    return result.output
