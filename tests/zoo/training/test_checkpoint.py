"""Checkpoints: whole or not at all; damaged, foreign and malicious ones are refused."""

import pickle
import random
import resource
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit import storage
from toolkit.errors import StorageError, ToolkitError
from zoo.training.checkpoint import load_checkpoint, save_checkpoint

CONTENT = {"kind": "line", "weights": torch.arange(6.0).view(2, 3), "names": ["a"], "epoch": 3}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", CONTENT)
    found = load_checkpoint(tmp_path / "c.pt", "line")
    assert torch.equal(found.pop("weights"), torch.tensor([[0.0, 1, 2], [3, 4, 5]]))
    assert found == {"kind": "line", "names": ["a"], "epoch": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["c.pt"]


def test_a_failure_while_writing_leaves_the_one_before(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", CONTENT)
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        save_checkpoint(tmp_path / "c.pt", {"kind": "line", "unwritable": lambda: 0})
    assert load_checkpoint(tmp_path / "c.pt")["epoch"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["c.pt"]


@pytest.mark.parametrize("size", [1, 5_000, 100_000])
def test_a_full_disk_is_one_clear_error(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is full at the file's beginning, in its midst or at its end."""
    monkeypatch.setattr(storage, "_remove_foreign", lambda path: None)  # links stand for the disk
    (tmp_path / ".c.pt.tmp").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="the disk is full"):
        save_checkpoint(tmp_path / "c.pt", {"weights": [torch.zeros(size)] * 3})
    assert not (tmp_path / "c.pt").exists()


@pytest.mark.parametrize("limit", [1_000, 100_000, 300_000])
def test_a_disk_that_fills_up_leaves_the_one_before_and_no_part_of_the_next(
    tmp_path: Path, limit: int
) -> None:
    save_checkpoint(tmp_path / "c.pt", CONTENT)
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, former[1]))
    try:
        with pytest.raises(StorageError, match=r"c\.pt: cannot be written: .*raise the limit"):
            save_checkpoint(tmp_path / "c.pt", {"weights": [torch.rand(50_000) for _ in range(3)]})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert load_checkpoint(tmp_path / "c.pt")["epoch"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["c.pt"]


def test_a_missing_one_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match=r"c\.pt: no such checkpoint"):
        load_checkpoint(tmp_path / "c.pt")


@pytest.mark.parametrize("content", [{"kind": "circle"}, {"other": 1}, [1, 2]])
def test_one_of_another_kind_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "c.pt")
    with pytest.raises(ToolkitError, match=r"a checkpoint of .*, not of line"):
        load_checkpoint(tmp_path / "c.pt", "line")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_cut_off_one_is_an_error(tmp_path: Path, share: float) -> None:
    save_checkpoint(tmp_path / "c.pt", CONTENT)
    content = (tmp_path / "c.pt").read_bytes()
    (tmp_path / "c.pt").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ToolkitError, match="damaged or not a checkpoint"):
        load_checkpoint(tmp_path / "c.pt")


def test_damage_anywhere_raises_nothing_else(tmp_path: Path) -> None:
    """Bytes of a checkpoint overwritten at random places: an error of ours, or it still loads."""
    path, generator, refused = tmp_path / "c.pt", random.Random(0), 0
    save_checkpoint(path, CONTENT)
    content = path.read_bytes()
    for _ in range(200):
        damaged = bytearray(content)
        for _ in range(8):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        path.write_bytes(damaged)
        try:
            load_checkpoint(path)
        except ToolkitError:
            refused += 1
    assert refused > 0


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self._path,)


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    torch.save({"kind": "line", "trap": Trap(trap)}, tmp_path / "c.pt")
    with pytest.raises(ToolkitError, match="damaged or not a checkpoint"):
        load_checkpoint(tmp_path / "c.pt", "line")
    assert not trap.exists()
    torch.load(tmp_path / "c.pt", weights_only=False)
    assert trap.exists()  # the trap works where it is let
