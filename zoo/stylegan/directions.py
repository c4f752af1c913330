"""Directions in w+ that change one attribute of a face and leave the others.

w+ is regressed on the attributes, all at once: what is found for one is how w+ changes with it
while the others stay (multiple regression; for labels of 0 and 1 the same as between two groups).
Legend: n pictures, K attributes, L vectors of w+.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from toolkit.errors import ToolkitError
from zoo.stylegan.generator import STYLE
from zoo.training.checkpoint import load_checkpoint, save_checkpoint

Floats = npt.NDArray[np.float64]

KIND = "style-directions"

RIDGE = 0.01
"""Added to the attributes' covariance, in their standard deviations, so that two that nearly always
go together give no endless directions."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Directions:
    """What a prior's w+ moves by for each attribute.

    Attributes:
        names: (K) of the attributes.
        vectors: (K, L, 512) for one standard deviation more.
        means: (K,) of the attributes over the pictures, in their units.
        deviations: (K,) standard deviations, in their units.
        correlations: (K,) of the attribute and its prediction from w+, by pictures that were left
            out: 0 is nothing known of it, 1 all.
        prior: digest of the prior's file; w+ of another one has other directions.
    """

    names: tuple[str, ...]
    vectors: Tensor
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    correlations: tuple[float, ...]
    prior: str

    def apply(self, styles: Tensor, amounts: Mapping[str, float]) -> Tensor:
        """w+ (B, L, 512) changed.

        Args:
            styles: of faces.
            amounts: name of an attribute -> by how many standard deviations.

        Raises:
            ValueError: no such attribute, or w+ of another size.
        """
        if styles.shape[1:] != self.vectors.shape[1:]:
            raise ValueError(
                f"w+ {tuple(styles.shape[1:])}, directions {tuple(self.vectors.shape[1:])}"
            )
        moved = styles
        for name, amount in amounts.items():
            if name not in self.names:
                known = ", ".join(self.names)
                raise ValueError(f"no direction {name!r}: choose from {known}")
            moved = moved + amount * self.vectors[self.names.index(name)].to(styles)
        return moved

    def save(self, path: Path) -> None:
        """Write a file of a few hundred kilobytes."""
        content = {name: value for name, value in vars(self).items() if name != "vectors"}
        lists = {name: list(v) if isinstance(v, tuple) else v for name, v in content.items()}
        save_checkpoint(path, {"kind": KIND, "vectors": self.vectors.clone()} | lists)


def open_directions(path: Path, prior: str | None = None) -> Directions:
    """Those of a file.

    Args:
        path: that `Directions.save` wrote.
        prior: digest of the prior's file with which they are to be used; None: any.

    Raises:
        ToolkitError: no such file, something else, or directions of another prior.
    """
    content: dict[str, Any] = load_checkpoint(path, KIND)
    if prior is not None and content["prior"] != prior:
        raise ToolkitError(
            f"{path}: directions of another prior ({content['prior'][:12]}, not {prior[:12]}): "
            "run zoo edit directions with this one"
        )
    return Directions(
        names=tuple(content["names"]),
        vectors=content["vectors"],
        means=tuple(content["means"]),
        deviations=tuple(content["deviations"]),
        correlations=tuple(content["correlations"]),
        prior=content["prior"],
    )


def read_amounts(text: str) -> dict[str, float]:
    """`age=-1.5,beard=1` as numbers by names; ValueError for anything else."""
    amounts = dict[str, float]()
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        try:
            amounts[name.strip()] = float(value)
        except ValueError:
            raise ValueError(
                f"{part!r}: write an attribute and how many standard deviations, as age=-1.5"
            ) from None
    return amounts


def fit_directions(
    styles: npt.ArrayLike,
    attributes: npt.ArrayLike,
    names: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    prior: str = "",
) -> Directions:
    """Directions of attributes that were seen with w+.

    Args:
        styles: (n, L, 512), w+ of pictures.
        attributes: (n, K); pictures of which one is not a number are left out.
        names: (K) of them.
        groups: (n) who is seen: the part by which correlations are measured has others.
        prior: see `Directions`.

    Raises:
        ValueError: an attribute is the same in all pictures, or there are too few.
    """
    values = np.asarray(attributes, np.float64)
    known = np.isfinite(values).all(axis=1)
    values, w = values[known], np.asarray(styles, np.float32)[known].reshape(int(known.sum()), -1)
    if len(values) < 2 * len(names) + 4:
        raise ValueError(f"{len(values)} pictures are too few for {len(names)} directions")
    means, deviations = values.mean(axis=0), values.std(axis=0)
    for name, spread in zip(names, deviations, strict=True):
        if spread < 1e-9:
            raise ValueError(f"{name} is the same in all {len(values)} pictures")
    z = (values - means) / deviations
    covariance = z.T @ z / len(z) + RIDGE * np.eye(len(names))
    vectors = np.linalg.solve(covariance, z.T @ (w - w.mean(axis=0)) / len(z))
    who = [str(number) for number in range(len(known))] if groups is None else groups
    out = _leave_out([name for name, keep in zip(who, known, strict=True) if keep])
    return Directions(
        names=tuple(names),
        vectors=torch.from_numpy(vectors.astype(np.float32)).reshape(len(names), -1, STYLE),
        means=tuple(means.tolist()),
        deviations=tuple(deviations.tolist()),
        correlations=tuple(_correlate(w, z, out)),
        prior=prior,
    )


def _leave_out(groups: Sequence[str]) -> npt.NDArray[np.bool_]:
    """(n,) which pictures are of every fifth group, or where there are fewer, every fifth."""
    different = sorted(set(groups))
    if len(different) < 5:
        return np.asarray(np.arange(len(groups)) % 5 == 4)
    chosen = set(different[4::5])
    return np.array([group in chosen for group in groups])


def _correlate(w: npt.NDArray[np.float32], z: Floats, out: npt.NDArray[np.bool_]) -> list[float]:
    """Of attributes z (n, K) and what ridge on other pictures' w (n, L·512) predicts of them."""
    centre, average = w[~out].mean(axis=0), z[~out].mean(axis=0)
    seen, left = w[~out] - centre, w[out] - centre
    kernel = (seen @ seen.T).astype(np.float64)
    ridge = 0.1 * np.trace(kernel) / len(kernel)
    weights = np.linalg.solve(kernel + ridge * np.eye(len(kernel)), z[~out] - average)
    pred = (left @ seen.T) @ weights
    return [_correlation(pred[:, k], z[out][:, k]) for k in range(z.shape[1])]


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > 1e-12 else 0.0
