"""A trained AT-net, ready for use.

Legend: n frames.
"""

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from toolkit.clock import SAMPLE_RATE
from toolkit.errors import ToolkitError
from toolkit.media.audio import SILENCE_DBFS, find_peak, open_sound
from zoo.data.contract import Contract
from zoo.data.mfcc import FRAME_CEPSTRA, FRAME_ROWS, cut_frame_windows
from zoo.landmarks.aligned import LAYOUT, NUM_PCS, AlignedStatistics, fit_alignment
from zoo.models.at_net import FAMILY
from zoo.models.at_net.networks import AtNet, Memory, create_at_net
from zoo.training.checkpoint import load_checkpoint

Floats = npt.NDArray[np.float32]

_BLOCK = 256
"""Frames that are computed at once."""


class LandmarkSpeaker:
    """A network with what it must be given.

    Attributes:
        network: on its device, for use.
        statistics: of its training part.
        contract: of the data that it knows; it makes landmarks at their frame rate.
    """

    def __init__(self, network: AtNet, statistics: AlignedStatistics, contract: Contract) -> None:
        self.network, self.statistics, self.contract = network, statistics, contract
        self._device = next(network.parameters()).device

    def speak(
        self,
        sound: Path,
        face: npt.ArrayLike,
        amplification: npt.ArrayLike | None = None,
        *,
        keep_face: bool = True,
    ) -> Floats:
        """Landmarks (n, 68, 2) of any file with sound, at the contract's frame rate.

        n is as many whole frames as the sound lasts, at least one. Warns of a silent recording.

        Args:
            sound: the recording.
            face: as `predict`'s.
            amplification: as `predict`'s.
            keep_face: as `predict`'s.

        Raises:
            ToolkitError: no sound can be read.
            ValueError: as `predict`.
        """
        with open_sound(sound) as pcm:
            if find_peak(pcm) < SILENCE_DBFS:
                text = f"{sound} is silent: nothing in it reaches {SILENCE_DBFS:.0f} dBFS"
                warnings.warn(text, stacklevel=2)
            return self.predict_sound(pcm, face, amplification, keep_face=keep_face)

    def predict_sound(
        self,
        pcm: npt.NDArray[np.int16],
        face: npt.ArrayLike,
        amplification: npt.ArrayLike | None = None,
        *,
        keep_face: bool = True,
    ) -> Floats:
        """The same of samples (S,), 16 kHz."""
        blocks = self.stream_sound(pcm, face, amplification, keep_face=keep_face)
        return np.concatenate(list(blocks))

    def stream_sound(
        self,
        pcm: npt.NDArray[np.int16],
        face: npt.ArrayLike,
        amplification: npt.ArrayLike | None = None,
        *,
        keep_face: bool = True,
    ) -> Iterator[Floats]:
        """The same block after block, (b, 68, 2): memory does not grow with the sound."""
        fps = self.contract.fps
        num_frames = max(1, len(pcm) * fps // SAMPLE_RATE)
        blocks = (
            cut_frame_windows(pcm, first, min(first + _BLOCK, num_frames), fps)
            for first in range(0, num_frames, _BLOCK)
        )
        return self._predict(blocks, face, amplification, keep_face)

    def predict(
        self,
        windows: npt.ArrayLike,
        face: npt.ArrayLike,
        amplification: npt.ArrayLike | None = None,
        *,
        keep_face: bool = True,
    ) -> Floats:
        """Landmarks (n, 68, 2) of consecutive frames, in the unit and at the place of `face`.

        Args:
            windows: (n, 28, 12) cepstra of `zoo.data.mfcc.cut_frame_windows`.
            face: (68, 2) landmarks of the picture, of any unit, x right, y down.
            amplification: (6,) by which the coefficients of the six directions are multiplied;
                1 by default.
            keep_face: put back what the six directions do not hold of the picture's face; else
                the landmarks are the mean face's but for these, as in the released code.

        Raises:
            ValueError: an array of another shape, or landmarks that lie in one place.
        """
        cepstra = np.asarray(windows, np.float32)
        if cepstra.ndim != 3 or cepstra.shape[1:] != (FRAME_ROWS, FRAME_CEPSTRA):
            expected = f"(n, {FRAME_ROWS}, {FRAME_CEPSTRA})"
            raise ValueError(f"windows {cepstra.shape}: the model reads {expected}")
        blocks = (cepstra[first : first + _BLOCK] for first in range(0, len(cepstra), _BLOCK))
        found = self._predict(blocks, face, amplification, keep_face)
        return np.concatenate([np.empty((0, 68, 2), np.float32), *found])

    def _predict(
        self,
        blocks: Iterable[Floats],
        face: npt.ArrayLike,
        amplification: npt.ArrayLike | None,
        keep_face: bool,
    ) -> Iterator[Floats]:
        seen = np.asarray(face, np.float64)
        factors = np.ones(NUM_PCS) if amplification is None else np.asarray(amplification)
        if seen.shape != (68, 2) or factors.shape != (NUM_PCS,):
            raise ValueError(
                f"a face {seen.shape} and amplification {factors.shape}: the model takes (68, 2) "
                f"and ({NUM_PCS},)"
            )
        move = fit_alignment(seen, self.statistics.mean_shape)
        placed = move.apply(seen)
        code = self.statistics.encode(placed)
        own = placed - self.statistics.decode(code) if keep_face else 0.0
        back = move.invert()
        for coefficients in self._run(blocks, code):
            aligned = self.statistics.decode(factors * coefficients) + own
            yield np.asarray(back.apply(aligned), np.float32)

    def _run(self, blocks: Iterable[Floats], code: npt.NDArray[np.float64]) -> Iterator[Floats]:
        """Coefficients (n, 6) of each block of frames, the memory going on from block to block."""
        self.network.eval()
        seen = torch.from_numpy(code).float()[None].to(self._device)
        memory: Memory | None = None
        for block in blocks:
            windows = torch.from_numpy(block)[None].to(self._device)
            with torch.inference_mode():
                coefficients, memory = self.network.go_on(windows, seen, memory)
            yield coefficients[0].cpu().numpy()


def open_at_net(path: Path, device: torch.device | str = "cpu") -> LandmarkSpeaker:
    """The network of a checkpoint.

    Raises:
        ToolkitError: no such checkpoint, or one of something else, of another layout or version,
            or converted without the mean and the directions of its landmarks.
    """
    content: dict[str, Any] = load_checkpoint(path, FAMILY.name)["model"]
    if "statistics" not in content:
        raise ToolkitError(
            f"{path}: converted without the mean and the directions of its landmarks: convert it "
            "again with --mean and --directions"
        )
    contract = Contract.from_state(content["contract"])
    if contract.layout != LAYOUT:
        raise ToolkitError(
            f"{path}: of {contract.layout} landmarks, but this version knows {LAYOUT}: train it "
            "with this version"
        )
    network = create_at_net(content["preset"])
    try:
        network.load_state_dict(content["network"])
    except RuntimeError as error:
        raise ToolkitError(
            f"{path}: its weights do not fit the {content['preset']} network of this version: "
            "train with it"
        ) from error
    statistics = AlignedStatistics.from_state(content["statistics"])
    return LandmarkSpeaker(network.eval().to(device), statistics, contract)
