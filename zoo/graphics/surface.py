"""What is drawn: a face model with one person's shape and colours under one light.

Legend: V vertices, F triangles, D the most triangles that meet at a vertex.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.light import AMBIENT, NUM_BANDS
from toolkit.facemodel.model import FaceModel
from zoo.graphics.eyes import EyeRegions, find_regions

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """A person's face, ready to be drawn; nothing in it changes from frame to frame.

    Attributes:
        shape: (3V,) mm, neutral.
        expression: (64, 3V) mm a standard deviation.
        albedo: (V, 3) RGB 0 to 255.
        light: (9, 3) harmonics of each channel, ambient light included.
        triangles: (F, 3) int64; `(b − a) × (c − a)` points outwards.
        eyes: which of the triangles may show an eye, and where.
        incidence: (V, D) int64 triangles at each vertex, rising; F where there are fewer.
    """

    shape: Floats
    expression: Floats
    albedo: Floats
    light: Floats
    triangles: npt.NDArray[np.int64]
    eyes: EyeRegions
    incidence: npt.NDArray[np.int64]

    @classmethod
    def of_model(
        cls,
        model: FaceModel,
        *,
        identity: npt.ArrayLike,
        texture: npt.ArrayLike,
        illumination: npt.ArrayLike,
        threshold: float | None = None,
        whole_triangles: bool = False,
    ) -> Self:
        """A person's surface.

        Args:
            model: its blink is left alone: AU45 carries the blink by itself.
            identity: (80,) standard deviations.
            texture: (80,) standard deviations.
            illumination: (27,) nine harmonics of red, then green, then blue.
            threshold: mm², of eq. 9; the model's own where none is given.
            whole_triangles: see `find_regions`.
        """
        light = np.asarray(illumination, np.float64).reshape(3, NUM_BANDS).T.copy()
        light[0] += AMBIENT
        expression = model.expression.astype(np.float64)
        triangles = np.ascontiguousarray(model.triangles)
        return cls(
            shape=np.ascontiguousarray(model.shape(identity).reshape(-1)),
            expression=np.ascontiguousarray(expression.reshape(-1, expression.shape[2]).T),
            albedo=np.ascontiguousarray(model.albedo(texture)),
            light=light,
            triangles=triangles,
            eyes=find_regions(model, threshold, whole_triangles=whole_triangles),
            incidence=list_incidence(triangles, model.num_vertices),
        )

    @property
    def num_vertices(self) -> int:
        """V."""
        return len(self.albedo)


def list_incidence(triangles: npt.NDArray[np.int64], num_vertices: int) -> npt.NDArray[np.int64]:
    """(V, D) triangles at each vertex in rising order, filled up with F."""
    F = len(triangles)
    vertices = triangles.reshape(-1)
    faces = np.arange(F).repeat(3)
    order = np.lexsort((faces, vertices))
    counts = np.bincount(vertices, minlength=num_vertices)
    slot = np.arange(3 * F) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((num_vertices, max(1, int(counts.max(initial=0)))), F, np.int64)
    table[vertices[order], slot] = faces[order]
    return table
