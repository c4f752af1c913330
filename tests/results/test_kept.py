"""Checkpoints that a training keeps, and the time of its steps."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

from tests.results import kept
from tests.results.kept import follow, list_kept, measure_step, train_kept
from tests.results.setup import MissingDataError
from tests.zoo.training.test_loop import STEPS, Line
from zoo.training.checkpoint import load_checkpoint
from zoo.training.loop import BEST, LAST


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a run of three epochs of four steps, of which every fifth is kept."""

    class Drawing(Line):
        def export(self) -> dict[str, Any]:
            return super().export() | {"discriminator": torch.zeros(1)}

    def make_task(recipe: Any, setting: Any) -> Line:
        return Drawing()

    monkeypatch.setattr(kept, "train_renderer", make_task)
    monkeypatch.setattr(kept, "FAMILY", SimpleNamespace(name="line"))
    train_kept(SimpleNamespace(epochs=3, seed=5), tmp_path / "run", 5)  # type: ignore[arg-type]
    return tmp_path / "run"


def test_a_checkpoint_is_kept_every_so_many_steps_and_at_the_end(run: Path) -> None:
    """Of 12 steps those after 5, 10 and 12; the last one is that which the run ends with."""
    found = list_kept(run)
    assert list(found) == [5, 10, 3 * STEPS]
    models = [load_checkpoint(path, "line")["model"] for path in (found[12], run / LAST)]
    names = ("network", "discriminator")
    assert [[name in model for name in names] for model in models] == [[True, False], [True, True]]
    for name, weights in models[1]["network"].items():
        assert torch.equal(models[0]["network"][name], weights)


def test_a_finished_run_keeps_what_it_kept(run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in list_kept(run).values()}
    train_kept(SimpleNamespace(epochs=3, seed=5), run, 5)  # type: ignore[arg-type]
    assert {path: path.stat().st_mtime_ns for path in list_kept(run).values()} == before


def test_a_run_without_kept_checkpoints_is_missing_data(tmp_path: Path) -> None:
    for read in (list_kept, measure_step):
        with pytest.raises(MissingDataError):
            read(tmp_path)  # type: ignore[operator]


def test_a_steps_time_is_the_median_over_all_starts_of_a_run(tmp_path: Path) -> None:
    """Steps at 10, 11, 12 and 40 s (it was stopped meanwhile); then, started anew, at 90 and 91.

    Steps 4 and 7 are not neighbours and tell nothing: of 1, 1, 28 and 1 s the median is 1.
    """
    for number, moments in enumerate([{1: 10, 2: 11, 3: 12, 4: 40}, {4: 90, 5: 91, 7: 99}]):
        writer = SummaryWriter(str(tmp_path), filename_suffix=f".{number}")  # type: ignore[no-untyped-call]
        for step, second in moments.items():
            writer.add_scalar("train/loss l1", 0.5, step, walltime=second)  # type: ignore[no-untyped-call]
        writer.close()  # type: ignore[no-untyped-call]
    assert measure_step(tmp_path) == 1


def test_another_builds_checkpoints_are_copied_until_it_is_done(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its `last.pt` says twelve steps in three epochs, which `recipe.json` asks for."""
    for path in list_kept(run).values():
        path.unlink()
    (run / "recipe.json").write_text('{"epochs": 3}')
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("it is done"))
    follow(run, 0.01)
    assert list(list_kept(run)) == [12]
    assert load_checkpoint(list_kept(run)[12])["epoch"] == 3
    assert (run / BEST).is_file()
