"""A trained l-GAN, ready for use.

Legend: n frames, K taps of a frame.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from zoo.data.contract import Contract
from zoo.data.landmarks import MESH68
from zoo.landmarks.statistics import LandmarkStatistics
from zoo.models.l_gan import FAMILY
from zoo.models.l_gan.networks import Generator, create_l_gan
from zoo.training.checkpoint import load_checkpoint

Floats = npt.NDArray[np.float32]

_BLOCK = 4096
"""Frames that are computed at once."""


class LandmarkModel:
    """A generator with what it must be given.

    Attributes:
        network: on its device, for use.
        statistics: of its training part.
        num_taps: K, as `zoo.data.landmarks.cut_taps` takes it.
        contract: of the scores that it knows. Their rate is of no account: taps are 33 ms apart.
        layout: which 68 points it knows, as `zoo.data.landmarks.MESH68`.
    """

    def __init__(
        self,
        network: Generator,
        statistics: LandmarkStatistics,
        num_taps: int,
        contract: Contract | None = None,
        layout: str = MESH68,
    ) -> None:
        self.network, self.statistics, self.num_taps = network, statistics, num_taps
        self.contract, self.layout = contract, layout
        self._device = next(network.parameters()).device

    @torch.no_grad()
    def predict(self, taps: npt.ArrayLike) -> Floats:
        """Canonical landmarks (n, 68, 2) of scores (n, K, 29), as they are stored.

        Raises:
            ValueError: another number of taps.
        """
        scores = np.asarray(taps, np.float32)
        if scores.ndim != 3 or scores.shape[1:] != (self.num_taps, 29):
            raise ValueError(f"taps {scores.shape}: the model reads (n, {self.num_taps}, 29)")
        self.network.eval()
        blocks = [
            self.network(torch.from_numpy(scores[k : k + _BLOCK]).to(self._device)).cpu().numpy()
            for k in range(0, len(scores), _BLOCK)
        ]
        moved = np.concatenate([np.empty((0, 68, 2), np.float32), *blocks])
        return np.asarray(moved + self.statistics.canonical_neutral, np.float32)


def open_l_gan(path: Path, device: torch.device | str = "cpu") -> LandmarkModel:
    """The generator of a checkpoint.

    Raises:
        ToolkitError: no such checkpoint, or one of something else.
    """
    content: dict[str, Any] = load_checkpoint(path, FAMILY.name)["model"]
    network = create_l_gan(content["preset"], num_taps=content["taps"]).generator
    network.load_state_dict(content["generator"])
    return LandmarkModel(
        network.eval().to(device),
        LandmarkStatistics.from_state(content["statistics"]),
        content["taps"],
        Contract.from_state(content["contract"]),
        content.get("points", MESH68),
    )
