"""Which files belong together."""

from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from zoo.evaluation.pairing import list_tasks, list_videos, parse_systems


@pytest.fixture
def make(tmp_path: Path):
    def write(*names: str) -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return write


def test_videos_are_paired_by_their_path_without_the_ending(make):
    root = make("ours/ann/1.mp4", "ours/2.mp4", "real/ann/1.mov", "real/3.mp4", "ours/notes.txt")
    tasks = list_tasks({"ours": root / "ours"}, root / "real")
    assert [(task.name, task.real) for task in tasks] == [
        ("2", None), ("ann/1", root / "real/ann/1.mov"),
    ]  # fmt: skip


def test_a_system_that_lacks_a_name_stands_in_its_task(make):
    root = make("a/1.mp4", "b/2.mp4", "real/1.mp4", "real/2.mp4")
    tasks = list_tasks({"a": root / "a", "b": root / "b"}, root / "real")
    assert [dict(task.systems) for task in tasks] == [
        {"a": root / "a/1.mp4", "b": None}, {"a": None, "b": root / "b/2.mp4"},
    ]  # fmt: skip


def test_one_file_stands_beside_one_file_of_any_name(make):
    root = make("fake.mp4", "true.mov")
    (task,) = list_tasks({"video": root / "fake.mp4"}, root / "true.mov")
    assert (task.name, task.real) == ("fake", root / "true.mov")


@pytest.mark.parametrize(
    ("files", "real", "message"),
    [
        (["a/1.mp4"], "none", "no such file"),
        (["a/1.txt"], None, "holds no video"),
        (["a/1.mp4", "a/1.mov"], None, "have one name"),
        (["a/1.mp4", "r/2.mp4"], "r", "1 stands beside none of 2"),
        (["a/1.mp4", "a/2.mp4", "r.mp4"], "r.mp4", "one video, but 2"),
    ],
)
def test_what_does_not_go_together_is_refused(make, files, real, message):
    root = make(*files)
    with pytest.raises(ToolkitError, match=message):
        list_tasks({"a": root / "a"}, root / real if real else None)


def test_hidden_files_are_no_videos(make):
    assert list(list_videos(make("a/.1.mp4", "a/2.MP4") / "a")) == ["2"]


def test_systems_are_named_as_typed():
    assert parse_systems(("a=x/y", "b=z=w")) == {"a": Path("x/y"), "b": Path("z=w")}
    for given in (("a",), ("=x",), ("a=",), ("a=x", "a=y"), ("real=x",), ("still picture=x",)):
        with pytest.raises(ValueError, match=r"no NAME=FOLDER|is taken"):
            parse_systems(given)
