"""A trained blink generator, ready for use: eyes that blink for any time, at any rate.

Legend: n frames, W windows of a pool, T = 75 ticks of a window at 25 a second, 44 = 22 points ×
(x, y).
"""

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from toolkit.errors import ToolkitError
from zoo.data.landmarks import MESH68
from zoo.landmarks.statistics import LandmarkStatistics
from zoo.metrics.aspect_blinks import find_drops
from zoo.models.blink_gan import FAMILY
from zoo.models.blink_gan.networks import BlinkGenerator, create_blink_gan
from zoo.models.blink_gan.pieces import Factor, Piece, cut_piece, fit_factor, join_pieces
from zoo.models.blink_gan.presets import NOISE_SIZE, RATE, WINDOW
from zoo.models.blink_gan.windows import NUM_POINTS, measure_ear
from zoo.training.checkpoint import load_checkpoint

Floats = npt.NDArray[np.float64]

BLOCK, POOL, TRIAL = 128, 1024, 50_000
"""Windows that are generated at once, and by which the chances of pieces are found; ticks of the
track by which they are corrected."""


class BlinkModel:
    """Makes eyes that blink.

    Attributes:
        network: on its device, for use.
        statistics: of the training part, whose canonical face the displacements belong to.
        rate: blinks a second of the training part.
        backends: feature -> what made it.
        layout: which 68 points it knows, as `zoo.data.landmarks.MESH68`.
    """

    def __init__(
        self,
        network: BlinkGenerator,
        statistics: LandmarkStatistics,
        rate: float,
        backends: dict[str, str] | None = None,
        layout: str = MESH68,
    ) -> None:
        self.backends, self.layout = backends or {}, layout
        self.network, self.statistics, self.rate = network.eval(), statistics, rate
        self._device = next(network.parameters()).device

    def sample(
        self, num_frames: int, fps: float, seed: int = 0, rate: float | None = None
    ) -> npt.NDArray[np.float32]:
        """Displacements (n, 22, 2) of the eyes' and brows' points, `EYE_REGION68`, canonical units.

        Windows of 3 s are joined where the eyes are open in both, over 0.4 s, so that nothing
        jumps. Of the windows that the generator makes, those with more blinks are taken more or
        less often, by a factor for each blink, so that as many come as are asked for: of all
        distributions of windows with that rate it is the nearest to the generator's own. Ticks at
        25 a second become frames linearly.

        Args:
            num_frames: n; 0 or more.
            fps: frames a second.
            seed: the same gives the same.
            rate: blinks a second, in the long run; None: the training part's.

        Raises:
            ToolkitError: a rate that no choice of the generator's windows has.
            ValueError: a negative number of frames, or a rate of frames that is not above 0.
        """
        if num_frames < 0 or not fps > 0:
            raise ValueError(f"{num_frames} frames at {fps:g} a second")
        target_rate = self.rate if rate is None else rate
        factor = self._choose_factor(target_rate, strict=rate is not None)
        position = np.arange(num_frames) * RATE / fps
        num_ticks = int(position[-1]) + 2 if num_frames else 0
        track = join_pieces(self._draw_pieces(factor, seed), num_ticks, self._count)
        before = position.astype(np.int64)
        share = (position - before)[:, None]
        eyes = track[before] * (1 - share) + track[before + 1] * share if num_frames else track
        return eyes.astype(np.float32).reshape(num_frames, NUM_POINTS, 2)

    def generate(self, num: int, generator: torch.Generator) -> Floats:
        """Windows (num, T, 44), as the network makes them."""
        noise = torch.randn(num, WINDOW, NOISE_SIZE, generator=generator)
        with torch.inference_mode():
            blocks = [
                self.network(b.to(self._device)).float().cpu() for b in torch.split(noise, BLOCK)
            ]
        return np.asarray(np.concatenate([block.numpy() for block in blocks]), np.float64)

    def _choose_factor(self, rate: float, *, strict: bool) -> Factor:
        """Corrected by a long track of the pool's pieces, of which joining leaves some out."""
        factor = fit_factor(self._pool, rate, strict=strict)
        chances = np.array([factor.accept(piece.num_blinks) for piece in self._pool])
        rng = np.random.default_rng(0)

        def draw() -> Iterator[Piece]:
            while True:
                yield self._pool[rng.choice(len(self._pool), p=chances / chances.sum())]

        track = join_pieces(draw(), TRIAL, self._count)
        seen = self._count(track) * RATE / TRIAL
        return fit_factor(self._pool, rate * rate / seen, strict=False) if seen else factor

    def _count(self, eyes: Floats) -> int:
        """Blinks in displacements (k, 44)."""
        return len(find_drops(measure_ear(eyes, self.statistics.canonical_neutral), RATE))

    def _draw_pieces(self, factor: Factor, seed: int) -> Iterator[Piece]:
        """Without end; each as often as its blinks say."""
        generator = torch.Generator().manual_seed(seed)
        while True:
            chances = torch.rand(BLOCK, generator=generator).tolist()
            for piece, chance in zip(self._cut(BLOCK, generator), chances, strict=True):
                if piece is not None and chance < factor.accept(piece.num_blinks):
                    yield piece

    def _cut(self, num: int, generator: torch.Generator) -> list[Piece | None]:
        windows = self.generate(num, generator)
        ears = measure_ear(windows, self.statistics.canonical_neutral)
        return [cut_piece(window, ear) for window, ear in zip(windows, ears, strict=True)]

    @functools.cached_property
    def _pool(self) -> tuple[Piece, ...]:
        """By which chances are found: the same for every seed."""
        pieces = self._cut(POOL, torch.Generator().manual_seed(0))
        if not (usable := tuple(piece for piece in pieces if piece is not None)):
            raise ToolkitError("no window of this blink-gan has open eyes twice: train it longer")
        return usable


def open_blink_gan(path: Path, device: torch.device | str = "cpu") -> BlinkModel:
    """The generator of a checkpoint of `zoo train blink-gan`.

    Raises:
        ToolkitError: no such file, or one of something else.
    """
    model = load_checkpoint(path, FAMILY.name)["model"]
    statistics = LandmarkStatistics.from_state(model["statistics"])
    network = create_blink_gan(model["preset"], num_components=len(statistics.eye_pcs))
    network.load_state_dict(model["network"])
    backends, layout = model["backends"], model.get("points", MESH68)
    return BlinkModel(network.to(device), statistics, model["rate"], backends, layout)
