"""Runs on a store: checkpoints go up as they come, and a run goes on from there on any machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

import zoo.cli
from tests.stores import open_memory
from tests.zoo.models.t_gan.people import TINY, write_people
from toolkit.errors import BusyError, StorageError
from toolkit.store.cache import open_cache
from toolkit.store.remote import Remote
from toolkit.store.working import WorkingFolder
from zoo.models.t_gan.presets import PRESETS
from zoo.training.checkpoint import load_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.on_store import open_run

ADDRESS = "memory://bucket/runs/one"


@pytest.fixture(autouse=True)
def memory(tmp_path: Path) -> Iterator[Any]:
    with open_memory(tmp_path / "cache") as files:
        yield files


def train(shards: Path, out: object, *more: object) -> Result:
    """A few steps of the texture GAN, of eq. 8 alone."""
    words = ["train", "t-gan", "--shards", shards, "--out", out, "--ablate", "feature"]
    words += ["--meta", "transfer", "--face", "none", "--device", "cpu", *more]
    return CliRunner().invoke(zoo.cli.main, [*map(str, words)])


def test_a_run_on_a_store_goes_on_from_there_on_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit as a run in a folder; the address alone is told, and no run is overwritten."""
    monkeypatch.setitem(PRESETS, "small", TINY)
    monkeypatch.setattr("zoo.training.log.plot_curves", lambda *args: None)  # longer than a run
    shards = write_people(tmp_path / "people")
    assert train(shards, tmp_path / "whole", "--epochs", 2).exit_code == 0
    first = train(shards, ADDRESS, "--epochs", 1)
    assert first.exit_code == 0, first.output
    assert f"{ADDRESS}: best:" in first.stdout
    names = {"last.pt", "best.pt", "log.csv", "recipe.json"}
    assert names <= Remote(ADDRESS).list().keys()
    monkeypatch.setenv("TTK_CACHE", str(tmp_path / "other machine"))
    again = train(shards, ADDRESS, "--epochs", 2)
    assert again.exit_code == 1
    assert f"{ADDRESS}: holds a run" in again.stderr
    last = train(shards, ADDRESS, "--epochs", 2, "--resume")
    assert last.exit_code == 0, last.output
    Remote(ADDRESS).download("last.pt", tmp_path / "last.pt")
    one, other = (
        load_checkpoint(path) for path in (tmp_path / "whole/last.pt", tmp_path / "last.pt")
    )
    assert (one["epoch"], one["best"]) == (other["epoch"], other["best"])
    for name, value in one["state"]["generator"].items():
        assert torch.equal(value, other["state"]["generator"][name]), name
    assert not Remote(ADDRESS).list(".tmp")


def test_a_checkpoint_goes_up_at_once_and_behind_the_best_one(memory: Any) -> None:
    """What is prepared stays here; a file without a new checkpoint waits for one."""
    with open_run(Path(ADDRESS), Distributed()) as run:
        run.folder.mkdir(parents=True)
        (run.folder / "log.csv").write_text("1")
        (run.folder / "speech.s16").write_text("many GB")
        run.keep()
        assert not Remote(ADDRESS).list()
        for name in ("last.pt", "best.pt"):
            (run.folder / name).write_text("a")
        copied = list[str]()
        take = Remote.take

        def note(self: Remote, names: dict[str, str]) -> None:
            copied.extend(names.values())
            take(self, names)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Remote, "take", note)
            run.keep()
        assert copied == ["log.csv", "best.pt", "last.pt"]
        (run.folder / "log.csv").write_text("12")
        run.keep()
        assert dict(Remote(ADDRESS).read(["log.csv"])) == {"log.csv": b"1"}
    assert dict(Remote(ADDRESS).read(["log.csv"])) == {"log.csv": b"12"}
    assert not Remote(ADDRESS).look_at("speech.s16")


def test_what_the_store_has_counts_and_not_what_was_left_here(memory: Any) -> None:
    """A checkpoint of a run that was deleted there is none; prepared sounds are kept."""
    working = WorkingFolder(open_cache(), ADDRESS, kept_here=(".s16",))
    working.path.mkdir(parents=True)
    for name in ("last.pt", "speech.s16"):
        (working.path / name).write_text("left")
    Remote(ADDRESS).write("sheets/0.png", b"drawn")
    working.pull()
    found = {path.relative_to(working.path).as_posix() for path in working.path.rglob("*.*")}
    assert found == {"speech.s16", "sheets/0.png"}


def test_a_store_that_refuses_is_warned_of_and_is_an_error_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: Remote, files: object) -> None:
        raise StorageError(f"{ADDRESS}: the store cannot be reached")

    with pytest.raises(StorageError, match="cannot be reached"):  # noqa: SIM117
        with open_run(Path(ADDRESS), Distributed()) as run:
            monkeypatch.setattr(Remote, "upload", refuse)
            run.folder.mkdir(parents=True)
            (run.folder / "last.pt").write_text("a")
            with pytest.warns(UserWarning, match="the checkpoint lies here alone"):
                run.keep()


def test_two_trainings_of_one_machine_do_not_write_to_one_address() -> None:
    with (
        open_run(Path(ADDRESS), Distributed()),
        pytest.raises(BusyError, match="at work on memory://bucket/runs/one"),
        open_run(Path(ADDRESS), Distributed()),
    ):
        pass
