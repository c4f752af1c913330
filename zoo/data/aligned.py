"""One picture of a person as a generator of aligned faces expects it: FFHQ's rule."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.errors import ToolkitError
from toolkit.schema import NOMINAL_SIZE
from zoo.data.picture_files import Picture
from zoo.data.portraits import Portrait, measure_portrait
from zoo.landmarks.align import Similarity, view68
from zoo.landmarks.cut import cut_square
from zoo.landmarks.ffhq import align_ffhq

LEAST = 64.0
"""Side of a face's square in a picture, px, at least: a quarter of it lies between the eyes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AlignedPortrait:
    """A picture and its aligned face.

    Attributes:
        portrait: what was measured.
        picture: (side, side, 3) uint8 RGB, the aligned face; beyond the picture it is reflected.
        align: from px of the whole picture to the aligned one, whose side is 1.
    """

    portrait: Portrait
    picture: Picture
    align: Similarity


def align_portrait(path: Path, side: int) -> AlignedPortrait:
    """The one face of a picture, moved, turned and scaled by FFHQ's rule.

    However it lies in the picture. Warns of a face that has to be enlarged, and of a head that is
    turned far.

    Raises:
        ToolkitError: no such file, none that can be read, no face, several, or a tiny one.
    """
    portrait = measure_portrait(path)
    x0, y0, x1, _ = portrait.crop
    mesh = portrait.mesh[:, :2] * ((x1 - x0) / NOMINAL_SIZE) + np.array([x0, y0])
    align = align_ffhq(view68(mesh))
    square = 1 / float(align.scale)
    if square < LEAST:
        raise ToolkitError(
            f"{path}: the face is too small: the square around it is {square:.0f} px wide, and "
            f"{LEAST:.0f} at least are needed"
        )
    if square < side / 2:
        warnings.warn(
            f"{path}: the face is small: the square around it, {square:.0f} px wide, is enlarged "
            f"to {side}",
            stacklevel=2,
        )
    picture = cut_square(portrait.picture, align, side)
    return AlignedPortrait(portrait=portrait, picture=picture, align=align)
