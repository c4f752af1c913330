"""What ATVGnet's system needs: checkpoints of random weights, and stand-ins that are known by hand.

The landmarks' stand-in lowers the jaw where it is loud; the faces' stand-in draws grey over the
lower half.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from tests.faces import MODEL
from tests.zoo.speaking.cascade import LOWER, MESH
from toolkit.clock import SAMPLE_RATE
from zoo.data.contract import Contract
from zoo.data.sound_landmarks import make_contract
from zoo.landmarks.align import Similarity, view68
from zoo.landmarks.aligned import AlignedStatistics, average_aligned
from zoo.models.at_net.networks import create_at_net
from zoo.models.vg_net.framing import MARGIN, Framing, frame_face
from zoo.models.vg_net.networks import create_vg_net
from zoo.training.checkpoint import save_checkpoint

SIZE, FPS = 128, 25
MEAN = average_aligned([view68(MODEL.mean_shape)[None]])


def save_at_net(path: Path, preset: str = "small", **changes: Any) -> Path:
    """A checkpoint of random weights, whose directions are jaw and lips down, and five others."""
    down = np.zeros((68, 2))
    down[LOWER, 1] = 1
    pcs = np.linalg.qr(np.concatenate([down.reshape(1, 136), np.eye(136)[:5]]).T)[0].T
    torch.manual_seed(0)
    content = {
        "preset": preset,
        "network": create_at_net(preset).state_dict(),
        "statistics": AlignedStatistics(mean_shape=MEAN, mean=MEAN.ravel(), pcs=pcs).to_state(),
        "contract": make_contract(FPS, MESH).to_state(),
    }
    save_checkpoint(path, {"kind": "at-net", "recipe": {}, "model": content | changes})
    return path


def save_vg_net(path: Path, preset: str = "small", **changes: Any) -> Path:
    """A checkpoint of random weights."""
    torch.manual_seed(0)
    content = {
        "preset": preset,
        "ablate": "",
        "generator": create_vg_net(preset).state_dict(),
        "mean_face": torch.from_numpy(MEAN),
        "margin": MARGIN,
        "landmarks": MESH,
        "trained_on": [],
    }
    save_checkpoint(path, {"kind": "vg-net", "recipe": {}, "model": content | changes})
    return path


class Speaker:
    """Lowers jaw and lower lip by 10 px in frames that are loud, times the second factor."""

    def __init__(self, backend: str = MESH, fps: int = FPS) -> None:
        self.contract: Contract = make_contract(fps, backend)
        self.faces: list[npt.NDArray[np.float64]] = []
        self.factors: list[Any] = []

    def stream_sound(
        self, pcm: npt.NDArray[np.int16], face: npt.ArrayLike, amplification: npt.ArrayLike
    ) -> Iterator[npt.NDArray[np.float32]]:
        points, factors = np.asarray(face), np.asarray(amplification)
        self.faces.append(points)
        self.factors.append(factors.tolist())
        step = SAMPLE_RATE // self.contract.fps
        for first in range(0, len(pcm) // step, 8):
            levels = [
                np.abs(pcm[frame * step : (frame + 1) * step].astype(int)).max() > 1000
                for frame in range(first, min(first + 8, len(pcm) // step))
            ]
            moved = np.repeat(points[None], len(levels), axis=0).astype(np.float32)
            moved[:, LOWER, 1] += 10 * factors[1] * np.array(levels)[:, None]
            yield moved


class Drawn(NamedTuple):
    frame: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.uint8]
    motion: npt.NDArray[np.uint8]


class Faces:
    """Motion is one grey, and attention whole in the lower half and none above."""

    size = SIZE

    def __init__(self, backend: str = MESH, grey: int = 200) -> None:
        self.landmarks, self._grey = backend, grey
        self.pictures: list[npt.NDArray[np.uint8]] = []
        self.asked: list[npt.NDArray[np.float64]] = []

    def frame(self, landmarks: npt.ArrayLike) -> Framing:
        return frame_face(landmarks, MEAN)

    def draw_blocks(
        self,
        picture: npt.NDArray[np.uint8],
        identity: npt.ArrayLike,
        blocks: Iterable[npt.ArrayLike],
    ) -> Iterator[Drawn]:
        self.pictures.append(picture)
        for block in blocks:
            for points in np.asarray(block, np.float64):
                self.asked.append(points)
                alpha = np.zeros((SIZE, SIZE), np.uint8)
                alpha[SIZE // 2 :] = 255
                motion = np.full((SIZE, SIZE, 3), self._grey, np.uint8)
                yield Drawn(np.where(alpha[..., None] > 0, motion, picture), alpha, motion)


def to_square(landmarks: npt.ArrayLike) -> Similarity:
    """Where px of a picture with these landmarks (68, 2) lie in the drawn square."""
    return frame_face(landmarks, MEAN).place
