"""`ttk ls`, and choosing in `ttk show`: what is printed, what is written, what is refused."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from rich.cells import cell_len

from tests import ROOT
from tests.datasets import FakeClip, write_dataset
from tests.toolkit.dataset.test_find import CLIPS, dataset, make_rejection
from toolkit.cli import main
from toolkit.cli.tables import print_table, shorten
from toolkit.dataset.manifest import write_part
from zoo.cli import main as zoo

__all__ = ["dataset"]


def run(*words: object) -> Result:
    """A command that must succeed."""
    result = CliRunner().invoke(main, list(map(str, words)))
    assert result.exit_code == 0, result.output
    return result


# --- ls -----------------------------------------------------------------------------------------


def test_each_clip_has_a_line_whose_id_show_takes(dataset: Path) -> None:
    lines = run("ls", "--data", dataset).stdout.splitlines()
    rows = [line.split() for line in lines if ".mp4" in line]
    assert [row[0] for row in rows] == [CLIPS[k].id[:8] for k in (1, 0, 2, 3)]
    assert [row[1:3] for row in rows] == [["ann", "train"]] * 2 + [["ann", "test"], ["bob", "–"]]


def test_json_has_whole_ids_and_every_rejected_stretch(dataset: Path) -> None:
    result = run("ls", "--data", dataset, "--json")
    clips = json.loads(result.stdout)
    assert [clip["clip_id"] for clip in clips] == [CLIPS[k].id for k in (1, 0, 2, 3)]
    assert clips[0]["split"] == "train"
    assert "next:" not in result.stderr
    assert len(json.loads(run("ls", "rejected", "--data", dataset, "--json").stdout)) == 5
    sources = json.loads(run("ls", "sources", "--data", dataset, "--json").stdout)
    assert sources[2] == {"source": "videos/bob/1.mp4", "identity": "bob"} | sources[2]


def test_scraps_are_one_line_and_files_turned_down_whole_say_so(dataset: Path) -> None:
    lines = run("ls", "rejected", "--data", dataset).stdout.splitlines()
    assert lines[0] == "videos/ann/1.mp4: 1.00–1.20 s: too_short"
    assert lines[1] == "    why"
    assert "videos/ann/2.mp4: the whole file: unreadable" in lines
    assert sum("scraps under" in line for line in lines) == 1
    assert "several_faces" not in "".join(lines[:-1])


@pytest.mark.parametrize(
    "words", [["sources", "--part", "test"], ["--reason", "silent"], ["--part", "training"]]
)
def test_a_choice_that_means_nothing_here_is_a_mistake(dataset: Path, words: list[str]) -> None:
    result = CliRunner().invoke(main, ["ls", *words, "--data", str(dataset)])
    assert result.exit_code == 2


# --- names in tables ----------------------------------------------------------------------------

HARD = ["a\nb\x1b[31m", "x" * 300, "\u202egnp.exe", "محمد", "李雷" * 40]


def test_no_name_breaks_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a row, at most 100 columns, and no character that moves the cursor."""
    print_table("T", ("name", "number"), [[name, "12345"] for name in HARD])
    lines = capsys.readouterr().out.rstrip().splitlines()
    assert len(lines) == 2 + len(HARD)
    assert max(map(cell_len, lines)) <= 100
    assert all(line.rstrip().endswith("12345") for line in lines[2:])
    assert not set("".join(lines)) & {"\x1b", "\u202e"}
    assert "a\\nb\\x1b[31m" in lines[2]


def test_what_is_left_of_a_long_name_is_its_beginning_and_its_end() -> None:
    assert shorten("abcdefghij", 10) == "abcdefghij"
    assert shorten("abcdefghij", 7) == "abc…hij"
    assert cell_len(shorten("李" * 50, 11)) <= 11


def test_tables_of_a_dataset_with_hard_names_have_a_line_for_each(tmp_path: Path) -> None:
    clips = [FakeClip(identity=name, source=f"{k}.mp4") for k, name in enumerate(HARD)]
    write_dataset(tmp_path, {"j": clips}, shards=False)
    for words in (["ls"], ["ls", "sources"], ["stats", "--by", "identity", "--blinks"]):
        text = run(*words, "--data", tmp_path).stdout
        assert "\x1b" not in text
        assert max(map(cell_len, text.splitlines())) <= 100
        assert "a\\nb" in text


def test_zoo_list_has_whole_commands_on_lines_of_their_own() -> None:
    lines = CliRunner().invoke(zoo, ["list"]).stdout.splitlines()
    assert {"    zoo train facial-gan", "    zoo convert facial-official"} <= set(lines)
    assert not [line for line in lines if line.endswith("-") or ("," in line and "zoo " in line)]


# --- show ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with shards."""
    folder = tmp_path_factory.mktemp("shown")
    write_dataset(folder, {"j": CLIPS}, frame_size=64)
    return folder


def show(data: Path, *words: object) -> Result:
    return CliRunner().invoke(main, ["show", *map(str, words), "--data", str(data)])


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        (["--all"], [0, 1, 2, 3]),
        (["--identity", "ann"], [0, 1, 2]),
        (["--source", "ann/1.mp4"], [0, 1]),
        ([CLIPS[2].id[:6], CLIPS[3].id], [2, 3]),
        (["--identity", "bob"], [3]),
    ],
)
def test_several_clips_go_into_a_folder_by_their_ids(
    shown: Path, tmp_path: Path, words: list[str], chosen: list[int]
) -> None:
    result = show(shown, *words, "--sheet", tmp_path / "sheets")
    assert result.exit_code == 0, result.stderr
    names = sorted(path.name for path in (tmp_path / "sheets").iterdir())
    assert names == sorted(f"{CLIPS[k].id[:8]}.png" for k in chosen)


def test_clips_of_a_lost_shard_are_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", {"a": CLIPS[:2], "b": CLIPS[2:]}, frame_size=64)
    (tmp_path / "data" / "shards" / "a.h5").unlink()
    result = show(tmp_path / "data", "--all", "--sheet", tmp_path / "sheets")
    assert result.exit_code == 1
    for clip in CLIPS[:2]:
        assert re.search(f"^{clip.id[:8]}: .*a.h5: missing", result.stderr, re.MULTILINE)
    assert "2 of 4 clips could not be shown" in result.stderr
    names = sorted(path.name for path in (tmp_path / "sheets").iterdir())
    assert names == sorted(f"{clip.id[:8]}.png" for clip in CLIPS[2:])


def test_the_first_clip_needs_no_id(shown: Path, tmp_path: Path) -> None:
    """CLIPS[1] begins at frame 0 of the first video; CLIPS[3] is bob's only one."""
    for words in (["--first"], ["--first", "--identity", "bob"], ["--identity", "bob"]):
        result = show(shown, *words, "--sheet", tmp_path / f"{len(words)}.png")
        assert result.exit_code == 0, result.stderr
        assert "next: ttk split" in result.stderr
    alone = show(shown, CLIPS[1].id, "--sheet", tmp_path / "alone.png")
    assert alone.exit_code == 0
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "alone.png").read_bytes()
    assert (tmp_path / "3.png").read_bytes() == (tmp_path / "2.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sheet", "x.png"], "which clip?"),
        (["--all", "--sheet", "x.png"], "4 clips are chosen: name a folder"),
        (["--all", "--rejected", "--sheet", "x.png"], "--rejected goes with"),
        (["--rejected", "--out", "x.mp4"], "--rejected goes with"),
        (["--rejected"], "--rejected goes with --sheet FILE.png"),
        ([CLIPS[0].id, "--all", "--sheet", "x"], "give ids, --first or --all"),
        (["--first", "--all", "--sheet", "x"], "give ids, --first or --all"),
        (["--all", "--out", "x", "--sheet", "x.png"], "4 clips are chosen: name a folder"),
        (["--first", "--sheet", "x.jpg"], "must end in .png"),
        (["--first", "--reason", "silent", "--sheet", "x.png"], "--reason goes with --rejected"),
        ([CLIPS[0].id, "--identity", "bob", "--sheet", "x.png"], "none of these clips"),
    ],
)
def test_choices_that_do_not_go_together_are_refused(
    shown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = show(shown, *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_without_clips_says_so(tmp_path: Path) -> None:
    write_part(tmp_path, "clips", "j", [])
    for words in (["ls"], ["show", "--first", "--sheet", str(tmp_path / "x.png")]):
        result = CliRunner().invoke(main, [*words, "--data", str(tmp_path)])
        assert result.exit_code == 1
        assert "the dataset has no clips: run ttk ingest" in result.stderr


def test_nothing_turned_down_is_said(shown: Path, tmp_path: Path) -> None:
    result = show(shown, "--rejected", "--sheet", tmp_path / "x.png")
    assert result.exit_code == 1
    assert "nothing was turned down" in result.stderr


def test_rejected_stretches_become_a_sheet_and_scraps_a_line(dataset: Path, tmp_path: Path) -> None:
    """Three stretches in one row of four cells; the videos are gone, so cells are grey."""
    sheet = tmp_path / "x.png"
    result = show(dataset, "--rejected", "--sheet", sheet)
    assert result.exit_code == 0, result.stderr
    assert "3 stretches" in result.stdout
    assert "2 scraps under 0.2 s: " in result.stdout
    with Image.open(sheet) as picture:
        assert picture.size == (4 * 296 + 8, 60 + 162 + 88 + 8)


def test_a_sheet_has_the_longest_stretches(dataset: Path, tmp_path: Path) -> None:
    many = [make_rejection("videos/bob/1.mp4", k, 1 + k / 100, "no_face") for k in range(70)]
    write_part(dataset, "rejected", "j", many)
    result = show(dataset, "--rejected", "--sheet", tmp_path / "x.png")
    assert "60 stretches, 10 shorter ones left out" in result.stdout


# --- what comes next ----------------------------------------------------------------------------


def test_commands_say_what_usually_follows_and_json_says_nothing(
    dataset: Path, tmp_path: Path
) -> None:
    spaced = tmp_path / "my data"
    write_dataset(spaced, {"j": [FakeClip(source=f"{k}.mp4") for k in range(3)]}, shards=False)
    result = run("split", "--data", spaced)
    assert result.stderr.splitlines()[-1] == f"next: ttk stats --data '{spaced}' --by split"
    assert "next:" not in result.stdout
    assert run("stats", "--data", spaced).stderr.endswith(f"next: ttk validate --data '{spaced}'\n")
    for words in (["split"], ["stats"], ["ls"]):
        assert "next:" not in run(*words, "--data", spaced, "--json").output


def test_every_family_says_what_follows_its_training() -> None:
    """A command of ttk or zoo, whose names in braces are options of the run."""
    import pkgutil
    import shlex

    from zoo.models.registry import list_families

    for family in list_families():
        for training in filter(None, (family.training, family.finetuning)):
            record = pkgutil.resolve_name(training.options)
            options = type("Options", (), {})()
            for name in record.__dataclass_fields__:
                setattr(options, name, f"a {name}")
            words = shlex.split(training.write_next(options, Path("my run")))
            if not words:  # nothing takes a fine-tuned t-gan yet
                assert (family.name, training) == ("t-gan", family.finetuning)
                continue
            assert words[0] == "zoo"
            assert any(word.startswith("my run") for word in words)
            assert "{" not in "".join(words)


# --- documentation ------------------------------------------------------------------------------


def test_no_page_has_an_id_that_a_fresh_demo_need_not_have() -> None:
    """Ids depend on the videos' bytes, and those on the encoder's version."""
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        found = re.findall(r"(?:ttk show|zoo reenact) [0-9a-f]{6,}", page.read_text("utf-8"))
        assert found == [], page.name


# --- help of zoo --------------------------------------------------------------------------------


def list_zoo_commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Words of every command of a group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from list_zoo_commands(found, (*words, name))
        else:
            yield (*words, name)


FREE_TEXT = {"--attributes", "--identity", "--images", "--model", "--metrics"}
"""Options of zoo that may be anything, or several names with commas between."""


@pytest.mark.parametrize("words", list(list_zoo_commands(zoo)), ids=" ".join)
def test_zoo_says_which_values_an_option_may_have(words: tuple[str, ...]) -> None:
    text = CliRunner().invoke(zoo, [*words, "--help"]).output
    assert set(re.findall(r"(--[\w-]+) TEXT", text)) <= FREE_TEXT


def test_a_value_that_an_option_may_not_have_is_refused_with_those_it_may() -> None:
    words = ["train", "facial-gan", "--shards", "x", "--out", "y", "--without"]
    result = CliRunner().invoke(zoo, [*words, "eyes"])
    assert result.exit_code == 2
    assert "'temporal', 'local'" in result.stderr
    for command, option in (("synthesize", "--background"), ("evaluate", "--split")):
        more = ["motion"] if command == "evaluate" else []
        assert CliRunner().invoke(zoo, [command, *more, option, "none"]).exit_code == 2
