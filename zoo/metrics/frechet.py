"""The Fréchet distance of two sets of pictures, by a network's features of them (FID).

Heusel et al., "GANs trained by a two time-scale update rule" (NeurIPS 2017): both sets are taken
for samples of Gaussians. Legend: n pictures of a set, K features of each.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_ROWS = 2048
"""Pictures whose features are summed at once."""


@dataclass(frozen=True, eq=False)
class Gaussian:
    """What is kept of a set.

    Attributes:
        num: of its pictures.
        mean: (K,).
        root: (K, r), whose product with its own transpose is the covariance, of rank r at most.
    """

    num: int
    mean: Floats
    root: Floats

    @property
    def is_full(self) -> bool:
        """Whether there are pictures enough for a covariance of full rank."""
        return self.num > len(self.mean)


def fit_gaussian(blocks: Iterable[npt.ArrayLike]) -> Gaussian:
    """The Gaussian of features that come in blocks (n, K); the covariance is over n − 1.

    Raises:
        ValueError: fewer than two pictures, or a feature that is not finite.
    """
    num, shift, total, products = 0, np.empty(0), np.empty(0), np.empty(0)
    few = list[Floats]()  # rows that are not in the products: all, while there are K at most
    for block in blocks:
        for rows in _split(np.asarray(block)):
            if not num:  # sums are of what a row is off the first ones' mean: less is lost
                shift = rows.mean(axis=0)
                total, products = np.zeros_like(shift), np.zeros((len(shift),) * 2)
            centred = rows - shift
            num += len(rows)
            total += centred.sum(axis=0)
            few.append(centred)
            if num > len(shift):
                for part in few:
                    products += part.T @ part
                few.clear()
    if num < 2:
        raise ValueError(f"pictures: {num}; two of each set at least")
    if not np.isfinite(total).all():
        raise ValueError("features are not finite")
    mean = total / num
    if few:  # a root as it is, where eigenvectors of (K, K) take seconds
        root = (np.concatenate(few) - mean).T / np.sqrt(num - 1)
    else:
        root = _find_root((products - num * np.outer(mean, mean)) / (num - 1))
    return Gaussian(num, shift + mean, root)


def _split(features: npt.NDArray[Any]) -> Iterator[Floats]:
    for first in range(0, len(features), _ROWS):
        yield np.asarray(features[first : first + _ROWS], np.float64)


def _find_root(covariance: Floats) -> Floats:
    """(K, r): directions that have nothing but rounding are left out."""
    values, vectors = np.linalg.eigh(covariance)
    least = max(values[-1], 0) * len(values) * np.finfo(np.float64).eps
    kept = values > least
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def measure_frechet(pred: Gaussian, target: Gaussian) -> float:
    """|μ − μ'|² + tr(C + C' − 2 (C C')^½) of two sets; 0: the same.

    The trace of the last root is the sum of the singular values of the product of the covariances'
    own roots: it needs no root of a product that is nearly singular, and is never complex.

    Raises:
        ValueError: features of two networks.
    """
    if len(pred.mean) != len(target.mean):
        raise ValueError(f"{len(pred.mean)} and {len(target.mean)} features cannot be compared")
    shared = pred.root.T @ target.root
    overlap = np.linalg.svd(shared, compute_uv=False).sum() if shared.size else 0.0
    spread = np.square(pred.root).sum() + np.square(target.root).sum()
    moved = np.square(pred.mean - target.mean).sum()
    return max(0.0, float(moved + spread - 2 * overlap))


def measure_fid(inception_features: npt.ArrayLike, real_inception_features: npt.ArrayLike) -> float:
    """FID of features (N, 2048) of all pictures of a system and of the real ones (M, 2048).

    With fewer than 2049 pictures a covariance lacks directions, and the distance is too large; it
    is compared with none of another number of pictures.

    Raises:
        ValueError: fewer than two pictures of one of them, or a feature that is not finite.
    """
    pred, target = (fit_gaussian([f]) for f in (inception_features, real_inception_features))
    return measure_frechet(pred, target)
