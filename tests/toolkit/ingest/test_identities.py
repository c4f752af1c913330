"""Who is in a video: by folder, name or table; and what is said where that looks wrong."""

import unicodedata
import warnings
from pathlib import Path

import pytest

from toolkit.errors import ManifestError, ToolkitError
from toolkit.ingest.identities import find_doubts, find_near_equal, name_identities
from toolkit.ingest.options import IngestOptions
from toolkit.ingest.sources import find_sources

GRID = ("s1/video/a.mpg", "s1/video/b.mpg", "s2/video/a.mpg")
MEAD = ("M003/video/front/angry/level_1/1.mp4", "W009/video/front/angry/level_1/1.mp4")
VOXCELEB = ("id01/aYt1/1.mp4", "id01/bYt2/1.mp4", "id02/cYt3/1.mp4")
COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "José") for form in ("NFC", "NFD"))


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def name_all(rule: str, *inputs: Path) -> list[str]:
    """Identities in the order of the paths."""
    return list(name_identities(find_sources(inputs).places, rule).values())


def list_doubts(rule: str, *inputs: Path) -> str:
    places = find_sources(inputs).places
    return "\n".join(find_doubts(places, name_identities(places, rule), rule))


def write_table(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


# --- folders ------------------------------------------------------------------------------------


def test_folders_of_people_name_them_however_they_are_given(tmp_path: Path) -> None:
    """The folder that holds them, each of them, or one alone."""
    make(tmp_path, "in/alice/1.mp4", "in/alice/2.mp4", "in/bob/1.mp4")
    expected = ["alice", "alice", "bob"]
    assert name_all("parent", tmp_path / "in") == expected
    assert name_all("parent", tmp_path / "in" / "alice", tmp_path / "in" / "bob") == expected
    assert name_all("parent", *sorted((tmp_path / "in").glob("*/*"))) == expected
    assert name_all("parent", tmp_path / "in" / "alice") == ["alice", "alice"]


def test_a_folder_may_be_given_from_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "alice/1.mp4", "alice/sub/x.txt")
    monkeypatch.chdir(tmp_path / "alice" / "sub")
    assert name_all("parent", Path("..")) == ["alice"]
    monkeypatch.chdir(tmp_path / "alice")
    assert name_all("parent", Path()) == name_all("parent", Path("1.mp4")) == ["alice"]
    make(tmp_path, "clips/1.mp4")
    monkeypatch.chdir(tmp_path / "clips")
    assert name_all("parent", Path()) == name_all("parent", Path("1.mp4")) == ["1"]


def test_videos_beside_peoples_folders_or_in_a_folder_of_videos_have_their_stems(
    tmp_path: Path,
) -> None:
    make(tmp_path, "in/alice/1.mp4", "in/bob.mp4", "My videos_2/carl.mp4", "My videos_2/dora.mp4")
    assert name_all("parent", tmp_path / "in") == ["alice", "bob"]
    assert name_all("parent", tmp_path / "My videos_2") == ["carl", "dora"]


@pytest.mark.parametrize(
    ("names", "level", "expected"),
    [
        (GRID, 1, ["video"] * 3),
        (GRID, 2, ["s1", "s1", "s2"]),
        (MEAD, 5, ["M003", "W009"]),
        (VOXCELEB, 2, ["id01", "id01", "id02"]),
    ],
)
def test_a_level_counts_from_the_file_upwards_however_videos_are_given(
    names: tuple[str, ...], level: int, expected: list[str], tmp_path: Path
) -> None:
    make(tmp_path / "in", *names)
    rule = f"folder:{level}"
    assert name_all(rule, tmp_path / "in") == expected
    assert name_all(rule, *(tmp_path / "in").iterdir()) == expected
    assert name_all(rule, *(tmp_path / "in" / name for name in names)) == expected


def test_a_linked_folder_names_by_its_own_name_at_every_level(tmp_path: Path) -> None:
    make(tmp_path, "store/0001/video/1.mp4")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ann").symlink_to(tmp_path / "store" / "0001")
    assert name_all("folder:2", tmp_path / "in") == ["ann"]


def test_a_level_above_the_root_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4")
    with pytest.raises(ToolkitError, match=r"a\.mp4: has no 99 folders above it"):
        name_all("folder:99", tmp_path)


@pytest.mark.parametrize("rule", ["folder", "folder:", "folder:0", "folder:-1", "folder:x", "f:2"])
def test_a_rule_that_names_no_level_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match=r"--identity .*folder:N \(N from 1\)"):
        IngestOptions(identity=rule)
    assert IngestOptions(identity="folder:2").identity == "folder:2"


# --- spelling -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["parent", "folder:1"])
def test_composed_and_decomposed_letters_and_outer_spaces_are_one_person(
    rule: str, tmp_path: Path
) -> None:
    make(tmp_path, f"in/{COMPOSED}/1.mp4", f"in/{DECOMPOSED}/2.mp4", "in/Ann/3.mp4",
         "in/Ann /4.mp4")  # fmt: skip
    assert sorted(name_all(rule, tmp_path / "in")) == ["Ann", "Ann", COMPOSED, COMPOSED]


def test_stems_and_tables_are_spelled_in_one_way_too(tmp_path: Path) -> None:
    make(tmp_path, f"in/{DECOMPOSED} .mp4")
    assert name_all("stem", tmp_path / "in") == [COMPOSED]
    table = write_table(tmp_path / "who.csv", f"source,identity\n{COMPOSED} .mp4, {DECOMPOSED}  X ")
    assert name_all(table, tmp_path / "in") == [f"{COMPOSED} X"]


def test_names_that_nearly_agree_are_reported() -> None:
    """Case, accents, spaces, hyphens; numbers are no such difference."""
    (text,) = find_near_equal(["Ann", "ann", "J. Doe", "J-Doe", "José", "Jose", "s1", "s11"])
    assert "'Ann' / 'ann', 'J-Doe' / 'J. Doe', 'Jose' / 'José'" in text
    assert find_near_equal(["Ann", "Bob", "s1", "s11", "s1-1", "a", "ä́b"]) == []


# --- doubts -------------------------------------------------------------------------------------


def test_names_that_say_no_person_are_reported_with_the_level_that_may(tmp_path: Path) -> None:
    make(tmp_path / "grid", *GRID)
    text = list_doubts("parent", tmp_path / "grid")
    assert "look like no people: video" in text
    assert "--identity folder:2 gives s1, s2" in text
    assert list_doubts("folder:2", tmp_path / "grid") == ""
    make(tmp_path / "mead", *MEAD)
    text = list_doubts("parent", tmp_path / "mead")
    assert "look like no people: level_1" in text
    assert "folder:5 gives M003, W009" in text


def test_folders_within_folders_are_reported(tmp_path: Path) -> None:
    make(tmp_path / "vox", *VOXCELEB)
    text = list_doubts("parent", tmp_path / "vox")
    assert "3 videos lie 2 or more folders deep" in text
    assert "aYt1 of id01/aYt1/1.mp4" in text
    assert "folder:2 gives id01, id02" in text


def test_a_video_a_person_is_reported_from_three_on(tmp_path: Path) -> None:
    make(tmp_path / "in", "ann/1.mp4", "bob/1.mp4")
    assert list_doubts("parent", tmp_path / "in") == ""
    make(tmp_path / "in", "carl/1.mp4")
    assert "each of the 3 identities has one video" in list_doubts("parent", tmp_path / "in")
    make(tmp_path / "in", "carl/2.mp4")
    assert list_doubts("parent", tmp_path / "in") == ""


def test_a_folder_that_is_taken_for_one_person_is_reported(tmp_path: Path) -> None:
    make(tmp_path, "hdtf/1.mp4", "hdtf/2.mp4")
    assert "all 2 videos are taken for one person, hdtf" in list_doubts("parent", tmp_path / "hdtf")
    assert list_doubts("stem", tmp_path / "hdtf") == ""


# --- tables -------------------------------------------------------------------------------------


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    make(tmp_path / "in", *GRID)
    return tmp_path / "in"


@pytest.mark.parametrize(
    "text",
    [
        "source,identity\ns1,Ann\ns2,Bob\n",  # the person's folder
        "Person , IDENTITY\n s1/ ,Ann\n./s2, Bob \n\n,\n",
        "folder;x,folder,identity\n-,s1/video,Ann\n-,in/s2,Bob\n",
        "\ufeffidentity,file\nAnn,s1/video/a.mpg\nAnn,b.mpg\nBob,s2/video/a.mpg\n",
        "source,identity\ns1,No\ns1/video/a.mpg,Ann\nb,Ann\nvideo,No\ns2/video,Bob\n",  # nearest
    ],
)
def test_a_table_names_by_file_folder_or_person(text: str, grid: Path) -> None:
    table = write_table(grid.parent / "who.csv", text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert name_all(table, grid) == ["Ann", "Ann", "Bob"]


def test_rows_that_match_nothing_are_counted(grid: Path) -> None:
    table = write_table(grid.parent / "who.csv", "source,identity\ns1,A\ns2,B\ns3,C\ns4/1.mp4,D\n")
    with pytest.warns(UserWarning, match=r"who\.csv: 2 rows match no video: s3, s4/1\.mp4"):
        name_all(table, grid)


def test_a_file_name_that_stands_for_files_of_several_folders_is_reported(grid: Path) -> None:
    table = write_table(grid.parent / "who.csv", "source,identity\na.mpg,Ann\nb.mpg,Bob\n")
    with pytest.warns(UserWarning, match=r"files of several folders go by one row: a\.mpg"):
        assert name_all(table, grid) == ["Ann", "Bob", "Ann"]


def test_a_table_that_contradicts_itself_is_refused(grid: Path) -> None:
    same = write_table(grid.parent / "same.csv", "source,identity\ns1,A\ns1/,A \ns2,B\n")
    assert name_all(same, grid) == ["A", "A", "B"]
    table = write_table(grid.parent / "who.csv", "source,identity\ns1,Ann\ns2,Bob\ns1/,Eve\n")
    with pytest.raises(ManifestError, match=r"s1 is Ann in one row and Eve in another"):
        name_all(table, grid)


def test_a_video_that_no_row_names_is_an_error(grid: Path) -> None:
    table = write_table(grid.parent / "who.csv", "source,identity\ns1,Ann\n")
    with pytest.raises(ToolkitError, match=r"s2/video/a\.mpg: .*who\.csv has no row for it"):
        name_all(table, grid)
