"""Whom the cascaded system draws: a face at rest and where it is, from pictures or a checkpoint.

Legend: K pictures, H the side of a drawn picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from toolkit.schema import NOMINAL_SIZE
from zoo.data.landmarks import find_rest
from zoo.data.picture_files import Picture, resize_square
from zoo.data.portraits import Portraits, Take, choose_best, measure_portraits
from zoo.landmarks.align import add_pose, measure_turn, view68
from zoo.training.likeness import warn_of_others

NUM_SHOWN = 20
"""K, pictures that a face at rest is measured in."""

NUM_REFERENCES = 5
"""N, pictures that a texture is taken from, evenly spaced among them (section 4.3)."""

Floats = npt.NDArray[np.float64]


class FaceModel(Protocol):
    """What draws faces: an opened t-gan."""

    @property
    def path(self) -> Path: ...
    @property
    def size(self) -> int: ...
    @property
    def landmarks(self) -> str: ...
    @property
    def layout(self) -> str: ...
    @property
    def identity(self) -> str: ...
    @property
    def texture(self) -> Any: ...
    @property
    def meshes(self) -> npt.NDArray[np.float32] | None: ...

    def embed(self, pictures: npt.ArrayLike, landmarks: npt.ArrayLike) -> Any:
        """The texture of pictures (N, H, H, 3) with landmarks (N, 68, 2) px."""

    def draw(self, landmarks: npt.ArrayLike, texture: Any = None) -> Iterator[Picture]:
        """Frames (H, H, 3) of landmarks (n, 68, 2) px."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sitter:
    """A person to draw.

    Attributes:
        name: who.
        texture: as the model takes it.
        rest: (468, 3) mesh at rest without head pose, mm of the mean face.
        neutral: (68, 2) px of the drawn picture: the face at rest, where it is in the picture
            that was taken most from the front.
        video: the video that they were seen in, or None.
        take: where in it.
        backend: what measured the meshes.
        num_pictures: K.
    """

    name: str
    texture: Any
    rest: Floats
    neutral: Floats
    video: Path | None
    take: Take | None
    backend: str
    num_pictures: int


def open_sitter(model: FaceModel, images: Path | None) -> Sitter:
    """Who is to be drawn: who is seen in pictures, or whom the model was fine-tuned to.

    Raises:
        ToolkitError: no pictures, and a model that was not fine-tuned; see also
            `measure_portraits`.
    """
    if images is None:
        return _recall(model)
    portraits = measure_portraits(images)
    warn_of_others(portraits)
    return show(model, portraits)


def show(model: FaceModel, portraits: Portraits) -> Sitter:
    """A person whom the model is shown."""
    chosen = choose_best(portraits, NUM_SHOWN)
    meshes = portraits.meshes[chosen] * np.float32(model.size / NOMINAL_SIZE)
    spread = np.linspace(0, len(chosen) - 1, min(NUM_REFERENCES, len(chosen))).round().astype(int)
    pictures = [resize_square(portraits.pictures[chosen[place]], model.size) for place in spread]
    rest = find_rest(meshes)
    return Sitter(
        name=portraits.person,
        texture=model.embed(np.stack(pictures), view68(meshes[spread])),
        rest=rest,
        neutral=_place(rest, meshes),
        video=None if portraits.take is None else portraits.path,
        take=portraits.take,
        backend=portraits.backend,
        num_pictures=len(chosen),
    )


def _recall(model: FaceModel) -> Sitter:
    if model.texture is None:
        raise ToolkitError(
            f"{model.path}: knows no person: give --images FOLDER or VIDEO, or fine-tune it first "
            "with zoo finetune t-gan"
        )
    if model.meshes is None:
        raise ToolkitError(
            f"{model.path}: was fine-tuned without face meshes: give --images FOLDER or VIDEO"
        )
    rest = find_rest(model.meshes)
    return Sitter(
        name=model.identity,
        texture=model.texture,
        rest=rest,
        neutral=_place(rest, model.meshes),
        video=None,
        take=None,
        backend=model.landmarks,
        num_pictures=len(model.meshes),
    )


def _place(rest: Floats, meshes: npt.NDArray[np.float32]) -> Floats:
    """The face at rest (68, 2) where the head is that looks most this way."""
    frontal = int(measure_turn(meshes).argmin())
    return np.asarray(view68(add_pose(rest, meshes[frontal : frontal + 1]))[0])
