"""Find directions of w+ by what is known of stored pictures: `zoo edit directions`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from toolkit.dataset.manifest import read_table
from toolkit.errors import ToolkitError
from toolkit.storage import hash_file
from zoo.data.order import spread_order
from zoo.data.source import find_dataset
from zoo.landmarks.align import measure_opening
from zoo.landmarks.cut import Picture
from zoo.models.styleheat_prior.edit_options import MEASURED, DirectionOptions
from zoo.models.styleheat_prior.pictures import PictureClip, load_picture_clips
from zoo.stylegan.directions import Directions, fit_directions
from zoo.stylegan.prior import Prior, open_prior
from zoo.training.pictures import to_tensor

Floats = npt.NDArray[np.float64]

BATCH = 8
"""Pictures that are inverted at a time."""

Chosen = list[tuple[PictureClip, int]]
"""Pictures by their clips and numbers in them."""

Watch = Callable[[Iterable[Chosen], int], Iterable[Chosen]]

LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue (BT.601)."""


def find_directions(
    options: DirectionOptions, device: torch.device, *, watch: Watch = lambda items, total: items
) -> Directions:
    """Directions for attributes of a dataset's pictures.

    Args:
        options: of the command.
        device: where pictures are inverted.
        watch: gets what is inverted, and how many these are; gives them back one by one.

    Raises:
        ToolkitError: an attribute that is nowhere, or the same in all pictures; no prior, no
            pictures; and see `load_picture_clips`.
    """
    names = options.list_names()
    clips = load_picture_clips(
        options.shards, split=None if options.split == "all" else options.split
    )
    prior = open_prior(options.prior, device)
    tables = _read_labels(options)
    styles, values, groups = list[Floats](), list[list[float]](), list[str]()
    chosen = list(_choose(clips, options.num_pictures))
    batches = [chosen[first : first + BATCH] for first in range(0, len(chosen), BATCH)]
    for part in watch(batches, len(batches)):
        pictures = np.stack([clip.read(number, prior.encoder.side) for clip, number in part])
        styles.append(_invert(prior, pictures, device))
        for (clip, number), picture in zip(part, pictures, strict=True):
            values.append([_measure(name, clip, number, picture, tables) for name in names])
            groups.append(clip.identity)
    try:
        return fit_directions(
            np.concatenate(styles), values, names, groups=groups, prior=hash_file(options.prior)
        )
    except ValueError as error:
        raise ToolkitError(f"{options.shards}: {error}") from error


def _choose(clips: Sequence[PictureClip], most: int) -> Iterator[tuple[PictureClip, int]]:
    """Pictures, evenly spaced over all clips."""
    ends = np.cumsum([len(clip) for clip in clips])
    for places in spread_order(int(ends[-1]), most):
        number = int(np.searchsorted(ends, places[0], side="right"))
        yield clips[number], int(places[0] - ends[number]) + len(clips[number])


def _invert(prior: Prior, pictures: Picture, device: torch.device) -> Floats:
    with torch.inference_mode():
        found = prior.encoder(to_tensor(pictures).to(device))
    return np.asarray(found.cpu().numpy(), np.float64)


def _read_labels(options: DirectionOptions) -> tuple[pd.DataFrame, ...]:
    """Tables in which labels are looked for, the user's first."""
    tables = [read_table(find_dataset(options.shards), "clips")]
    if options.labels is not None:
        tables.insert(0, _read_csv(options.labels))
    known = {*MEASURED, *(name for table in tables for name in table.columns)}
    if unknown := [name for name in options.list_names() if name not in known]:
        raise ToolkitError(
            f"--attributes {unknown[0]}: neither measured ({', '.join(MEASURED)}) nor a column of "
            "the manifest or of --labels"
        )
    return tuple(tables)


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ToolkitError(f"{path}: no table of labels: {error}") from error
    if not {"identity", "clip_id"} & set(table.columns):
        raise ToolkitError(f"{path}: needs a column identity or clip_id")
    return table


def _measure(
    name: str, clip: PictureClip, number: int, picture: Picture, tables: Sequence[pd.DataFrame]
) -> float:
    """An attribute of one picture; NaN where it is not known."""
    for table in tables:
        if name in table.columns and name not in MEASURED:
            return _look_up(table, name, clip)
    points = clip.points[number].astype(np.float64)
    frame = int(clip.frames[number])
    match name:
        case "mouth":
            return float(measure_opening(points))
        case "smile":
            return float(_distance(points, 48, 54) / _distance(points, 36, 45))
        case "yaw" | "pitch":
            column = ("pitch", "yaw").index(name)
            return float(np.degrees(clip.part.read("face/pose")[frame, column]))
        case "au45":
            return float(clip.part.read("face/au45")[frame])
    return float((picture @ np.array(LUMA)).mean() / 255)


def _distance(points: Floats, a: int, b: int) -> float:
    return float(np.linalg.norm(points[a] - points[b]))


def _look_up(table: pd.DataFrame, name: str, clip: PictureClip) -> float:
    """A clip's label, else its person's."""
    keys = {"clip_id": clip.id, "identity": clip.identity}
    for column, key in keys.items():
        if column in table.columns:
            rows = table.loc[table[column].astype(str) == key, name]
            found = pd.to_numeric(rows, errors="coerce").dropna()
            if len(found):
                return float(found.iloc[0])
    return float("nan")
