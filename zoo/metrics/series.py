"""What metrics do with series of numbers: gaps, runs, means of what is known."""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def average_known(values: npt.ArrayLike) -> float:
    """Mean of the numbers among (n,) values; NaN where there are none."""
    values = np.asarray(values, np.float64)
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def fill_gaps(values: Floats) -> Floats:
    """(n,) values with straight lines where they are NaN; all NaN where nothing is known."""
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return values
    return np.interp(np.arange(len(values)), known, values[known])


def list_runs(flags: npt.ArrayLike) -> list[tuple[int, int]]:
    """Stretches [first, last) of (n,) flags that are True."""
    edges = np.flatnonzero(np.diff(np.pad(np.asarray(flags, np.int8), 1)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def normalise_range(values: Floats) -> Floats:
    """(n,) values moved and scaled to reach from 0 to 1; 0 where they do not change."""
    low, high = values.min(), values.max()
    return np.asarray((values - low) / (high - low if high > low else 1.0))
