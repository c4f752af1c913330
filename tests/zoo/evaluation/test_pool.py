"""Work in processes, of which one dies."""

import os

from zoo.evaluation.pool import run_each


def square(number: int) -> int:
    """But for 2, which ends its process."""
    if number == 2:
        os._exit(1)
    return number**2


def test_what_kills_its_process_fails_alone() -> None:
    assert sorted(run_each(square, [1, 2, 3], 2, lambda number: -number)) == [-2, 1, 9]


def test_one_process_keeps_the_order() -> None:
    assert list(run_each(square, [3, 1], 1, lambda number: -number)) == [9, 1]
