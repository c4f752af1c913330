"""Stretches of clips, cut, changed and counted into windows; decoded when they are asked for.

Legend: B stretches of a batch, T = 29 ticks of pictures, W = 25 windows of a stretch, R rows of
sound, C channels, H the side of a picture, n ticks of a clip.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import simplejpeg
import torch
from torch import Tensor

from toolkit.errors import ShardError
from zoo.data.mfcc import LENGTH, STEP, compute_mfcc
from zoo.data.order import Places
from zoo.data.talking import TICK_SAMPLES, TalkingClip
from zoo.models.syncnet.augment import change_pictures, change_sound, change_voice, jitter_places
from zoo.models.syncnet.faces import cut_square, place_squares, smooth_places
from zoo.models.syncnet.presets import NUM_ROWS, ROWS_PER_FRAME, WINDOW, Preset

WINDOWS = 25
"""W, of a stretch: those of one second, each beside 24 at other shifts."""

TICKS = WINDOWS + WINDOW - 1


@dataclass(frozen=True, eq=False)
class SyncBatch:
    """Stretches to learn from.

    Attributes:
        faces: (B, T, C, H, H) uint8.
        sound: (B, R, 13) float32 cepstra, row 4·t where tick t begins.
    """

    faces: Tensor
    sound: Tensor

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        return type(self)(self.faces.to(device), self.sound.to(device))


def cut_faces(faces: Tensor) -> Tensor:
    """Windows (w, C, 5, H, H) of pictures (T, C, H, H), one from each tick on; a view."""
    return faces.unfold(0, WINDOW, 1).permute(0, 1, 4, 2, 3)


def cut_sound(rows: Tensor) -> Tensor:
    """Windows (w, 1, 13, 20) of rows (R, 13), one from each tick on."""
    return rows.unfold(0, NUM_ROWS, ROWS_PER_FRAME)[:, None]


class SyncClip:
    """A clip with the places of its squares: pictures and sound of any stretch of it."""

    def __init__(self, clip: TalkingClip, preset: Preset) -> None:
        self.clip, self._preset = clip, preset
        self.places = smooth_places(place_squares(clip.read_landmarks(), preset.framing))

    def __len__(self) -> int:
        return len(self.clip)

    def read_pictures(self, first: int, last: int) -> Iterator[npt.NDArray[np.uint8]]:
        """Stored pictures of ticks [first, last), (side, side, C)."""
        colors = "GRAY" if self._preset.channels == 1 else "BGR"
        for tick in range(first, last):
            try:
                yield simplejpeg.decode_jpeg(self.clip.read_jpeg(tick), colors)
            except ValueError as error:
                text = f"{self.clip.reader.path}: a frame of clip {self.clip.id} is damaged"
                raise ShardError(f"{text}: {error}") from error

    def read_faces(
        self, first: int, last: int, rng: np.random.Generator | None = None
    ) -> npt.NDArray[np.uint8]:
        """Squares (last − first, H, H, C) of ticks, changed where `rng` is given."""
        places = self.places[first:last]
        places = places if rng is None else jitter_places(places, rng)
        size, channels = self._preset.size, self._preset.channels
        squares = [
            cut_square(picture, place, size).reshape(size, size, channels)
            for picture, place in zip(self.read_pictures(first, last), places, strict=True)
        ]
        pictures = np.stack(squares)
        return pictures if rng is None else change_pictures(pictures, rng)

    def read_sound(
        self, first: int, last: int, rng: np.random.Generator | None = None
    ) -> npt.NDArray[np.float32]:
        """Cepstra (4·(last − first), 13), changed where `rng` is given."""
        num_rows = ROWS_PER_FRAME * (last - first)
        length = (num_rows - 1) * STEP + LENGTH
        pcm = self.clip.pcm[first * TICK_SAMPLES :][:length]
        pcm = np.pad(pcm, (0, length - len(pcm)))
        return compute_mfcc(pcm) if rng is None else change_voice(change_sound(pcm, rng), rng)


class Stretches:
    """One epoch's stretches, drawn from clips: everyone counts by the root of their time.

    Where a clip is drawn from depends on seed and epoch alone, so does how it is changed.
    """

    def __init__(self, clips: Sequence[SyncClip], num: int, *, seed: int, epoch: int) -> None:
        self._clips, self._seed = clips, (seed, epoch)
        rng = np.random.default_rng([seed, epoch])
        lengths = np.array([len(clip) for clip in clips], np.float64)
        names, who = np.unique([clip.clip.identity for clip in clips], return_inverse=True)
        of_identity = np.bincount(who, lengths, len(names))
        chances = lengths / np.sqrt(of_identity[who])
        self._clip = rng.choice(len(clips), num, p=chances / chances.sum())
        room = lengths[self._clip] - TICKS + 1
        self._first = (rng.uniform(size=num) * room).astype(np.int64)

    def gather(self, places: Places) -> SyncBatch:
        """Those at (B,) places."""
        faces, sound = list[Tensor](), list[Tensor]()
        for place in places.tolist():
            rng = np.random.default_rng([*self._seed, place, 1])
            clip, first = self._clips[self._clip[place]], int(self._first[place])
            pictures = clip.read_faces(first, first + TICKS, rng)
            faces.append(torch.from_numpy(pictures).permute(0, 3, 1, 2))
            sound.append(torch.from_numpy(clip.read_sound(first, first + TICKS, rng)))
        return SyncBatch(torch.stack(faces), torch.stack(sound))
