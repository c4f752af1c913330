"""Several processes take the steps that one takes, whatever the family."""

import functools
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import multiprocessing
from torch.nn import functional

from tests.zoo.training.sharing import (
    CASES,
    NUM_STEPS,
    QUICK,
    Steps,
    take_steps,
    take_steps_of_two,
    write_all,
)
from zoo.training.distributed import Distributed

SLOW = tuple(name for name in CASES if name not in QUICK)


def share_steps(folder: Path, names: Sequence[str]) -> Path:
    """Let two processes take the steps of some cases; the folder with their data and results.

    They are forked, as those that load batches are: everything is loaded already.
    """
    write_all(folder, names)
    start = functools.partial(multiprocessing.start_processes, start_method="fork")
    start(take_steps_of_two, (folder, names), nprocs=2)
    return folder


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return share_steps(tmp_path_factory.mktemp("quick"), QUICK)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return share_steps(tmp_path_factory.mktemp("slow"), SLOW)


@pytest.mark.parametrize("name", QUICK)
def test_two_processes_take_the_steps_of_one(quick: Path, name: str) -> None:
    compare_steps(quick, name)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", SLOW)
def test_two_processes_take_the_steps_of_one_in_larger_families(slow: Path, name: str) -> None:
    compare_steps(slow, name)


def compare_steps(folder: Path, name: str) -> None:
    """Figures within 1e-4; all numbers go the same way, and the two processes' are the same."""
    first, second = (Steps(**torch.load(folder / f"{rank}.pt")[name]) for rank in (0, 1))
    alone = take_steps(name, folder, Distributed())
    assert len(alone.figures) == NUM_STEPS
    for shared, own in zip(first.figures, alone.figures, strict=True):
        assert shared == pytest.approx(own, rel=1e-4, abs=1e-6)
    assert torch.equal(first.begin, alone.begin)
    assert torch.equal(first.end, second.end)
    moved = first.end - first.begin, alone.end - alone.begin
    assert functional.cosine_similarity(*moved, dim=0) > 0.999
    assert moved[0].norm().item() == pytest.approx(moved[1].norm().item(), rel=1e-3)
