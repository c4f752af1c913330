"""Pictures of a person's face under expressions and poses, on any device.

On the CPU numba draws (`zoo.graphics.kernels`), elsewhere torch does (`zoo.graphics.raster`);
both by the same rules. Legend: B frames, V vertices, H the side of a picture.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from toolkit.facemodel.camera import rotation_from_euler
from zoo.data.crop_camera import CropCamera
from zoo.graphics import raster, shading
from zoo.graphics.surface import Surface

Floats = npt.NDArray[np.float64]

BLOCK_VERTICES = 600_000
"""Vertices of the frames that are drawn at once: bounds memory for large models."""


class FaceRenderer:
    """Draws one surface through one camera.

    It may be pickled; a loader's worker processes draw with one thread each, as torch does there.
    """

    def __init__(
        self,
        surface: Surface,
        camera: CropCamera,
        *,
        device: torch.device | str = "cpu",
        antialias: int = 1,
    ) -> None:
        """Choose what is drawn, from where, by what.

        Args:
            surface: a person's.
            camera: see `CropCamera`.
            device: `cpu` draws with numba, any other with torch.
            antialias: samples along each side of a pixel, which are averaged; 1: its centre.
        """
        if antialias < 1:
            raise ValueError(f"a pixel cannot have {antialias} samples a side")
        self.surface = surface
        self.camera = camera
        self.antialias = antialias
        self.device = torch.device(device)
        self._finer = camera.magnify(antialias)
        self._factors = shading.list_factors()
        self._tensors: dict[str, Tensor] = {}

    def render(self, expression: npt.ArrayLike, pose: npt.ArrayLike) -> Tensor:
        """Pictures (B, H, H, 4) uint8 on the device: red, green, blue, and 255 where an eye is.

        Black where there is no face. The fourth is the share of a pixel with antialiasing.

        Args:
            expression: (B, 64) standard deviations.
            pose: (B, 6) `face/model_pose`: rad and mm.

        Raises:
            ValueError: not as many expressions as poses, or of another size.
        """
        expression = np.asarray(expression, np.float64)
        pose = np.asarray(pose, np.float64)
        K, B = len(self.surface.expression), len(pose)
        if expression.shape != (B, K) or pose.shape != (B, 6):
            raise ValueError(
                f"expression {expression.shape} and pose {pose.shape}: want (B, {K}) and (B, 6)"
            )
        rigid = np.concatenate([rotation_from_euler(pose[:, :3]), pose[:, 3:, None]], axis=2)
        step = max(1, BLOCK_VERTICES // self.surface.num_vertices)
        blocks = [slice(first, first + step) for first in range(0, B, step)]
        draw = self._draw_on_cpu if self.device.type == "cpu" else self.draw_with_torch
        drawn = [self._average(draw(expression[rows], rigid[rows])) for rows in blocks]
        size = self.camera.size
        none = torch.empty(0, size, size, 4, dtype=torch.uint8, device=self.device)
        return torch.cat([none, *drawn]) if len(drawn) != 1 else drawn[0]

    def _draw_on_cpu(self, expression: Floats, rigid: Floats) -> Tensor:
        """(B, s·H, s·H, 4), threads taking an even share of the frames each."""
        from zoo.graphics import kernels

        surface, size, B = self.surface, self._finer.size, len(rigid)
        points = (surface.shape + expression @ surface.expression).reshape(B, -1, 3)
        pictures = np.empty((B, size, size, 4), np.uint8)
        camera = np.array(self._finer.intrinsics)

        def draw(rows: slice) -> None:
            kernels.draw_frames(
                points[rows], rigid[rows], camera, surface.triangles, surface.albedo,
                surface.light, self._factors, surface.eyes.triangles, surface.eyes.places,
                pictures[rows],
            )  # fmt: skip

        threads = min(torch.get_num_threads(), B)
        bounds = np.linspace(0, B, threads + 1).astype(int).tolist()
        shares = [slice(a, b) for a, b in itertools.pairwise(bounds)]
        if threads == 1:
            draw(shares[0])
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(draw, shares))
        return torch.from_numpy(pictures)

    def draw_with_torch(self, expression: Floats, rigid: Floats) -> Tensor:
        """(B, s·H, s·H, 4) uint8 in plain torch, before antialiasing, as on devices but the CPU."""
        screen, depth, colors = self.place_vertices(expression, rigid)
        triangles = self._on_device("triangles", self.surface.triangles)
        found = raster.find_triangles(screen, depth, triangles, self._finer.size)
        places = self._on_device("places", self.surface.eyes.places).expand(len(colors), -1, -1)
        values = raster.interpolate(
            found, screen, depth, triangles, torch.cat([colors, places], dim=2)
        )
        rgb = (values[..., :3].clamp(0, 255) + 0.5).floor().to(torch.uint8)
        flags = torch.cat(
            [self._on_device("eyes", self.surface.eyes.triangles), triangles.new_zeros(1).bool()]
        )
        x0, y0, x1, y1 = values[..., 3:].unbind(dim=-1)
        inside = (x0 * x0 + y0 * y0 < 1) | (x1 * x1 + y1 * y1 < 1)
        eye = (flags[found.seen] & inside).to(torch.uint8) * 255
        return torch.cat([rgb, eye[..., None]], dim=-1)

    def place_vertices(self, expression: Floats, rigid: Floats) -> tuple[Tensor, Tensor, Tensor]:
        """Screen positions (B, V, 2), 1/Z (B, V) and colours (B, V, 3) by torch."""
        s = self.surface
        turned = torch.from_numpy(rigid).to(self.device)
        weights = torch.from_numpy(expression).to(self.device)
        basis = self._on_device("expression", s.expression)
        points = self._on_device("shape", s.shape) + weights @ basis
        points = points.reshape(len(rigid), -1, 3)
        camera = self._on_device("camera", np.array(self._finer.intrinsics))
        screen, depth = shading.project_vertices(points, turned, camera)
        normals = shading.add_normals(
            points,
            self._on_device("triangles", s.triangles),
            self._on_device("incidence", s.incidence),
        )
        colors = shading.color_vertices(
            normals,
            turned,
            self._on_device("albedo", s.albedo),
            self._on_device("light", s.light),
            self._on_device("factors", self._factors),
        )
        return screen, depth, colors

    def _on_device(self, name: str, values: npt.NDArray[np.generic]) -> Tensor:
        if name not in self._tensors:
            self._tensors[name] = torch.from_numpy(values.copy()).to(self.device)
        return self._tensors[name]

    def _average(self, pictures: Tensor) -> Tensor:
        """Means of s × s samples, rounded half up: (B, H, H, 4) uint8."""
        s, H = self.antialias, self.camera.size
        if s == 1:
            return pictures
        cells = pictures.reshape(len(pictures), H, s, H, s, 4).sum(dim=(2, 4), dtype=torch.int32)
        return cells.add(s * s // 2).div(s * s, rounding_mode="floor").to(torch.uint8)
