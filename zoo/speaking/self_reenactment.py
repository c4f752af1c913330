"""Audio-based self-reenactment: a person's test clips drawn anew from their own sound.

FACIAL's supplement (Zhang et al., ICCV 2021). Beside what the motion model makes of the sound lie
the same clips drawn from plain motions, and the stored frames; all are crops of one size with one
sound. Legend: n frames of a part of a clip.
"""

import itertools
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from toolkit.clock import count_samples
from toolkit.errors import ToolkitError
from toolkit.media.encode import write_video
from toolkit.storage import hash_file, hold_folder, write_whole
from zoo.data.frames import Picture, RenderClip, load_render_clips
from zoo.models.registry import open_model
from zoo.motion.model import MotionModel
from zoo.speaking.movement import Movement
from zoo.speaking.options import HELD_OUT, SelfReenactmentSettings
from zoo.speaking.person_file import load_person
from zoo.speaking.plate import show_crops
from zoo.speaking.reenact import speak_clip
from zoo.speaking.renderer import Renderer
from zoo.speaking.scene import swing_back
from zoo.speaking.synthesize import COMMENT, check_model, check_renderer
from zoo.training.distributed import find_device

FOLDER, REAL, MODEL = "evaluation", "real", "model"
OWN, MEAN, OTHER = "own motion", "mean motion", "other motion"
"""Folders of videos. Their motions: of the sound; as the clip moved; the mean of the training
frames; another clip's, or of training frames where there is one clip. Heads are put where the real
clip's is in the mean."""

SHORTEST = 1.0
"""s; a shorter rest of a clip is left out where there are longer ones, for in means over videos it
would count as much as those."""

_RECORD = "made_of.json"


class SelfReenactment:
    """The test videos of a person, in `evaluation` of their folder.

    Attributes:
        folder: of all of them.
        parts: what is drawn anew.
        num_videos: how many there will be.
    """

    def __init__(self, run: Path, settings: SelfReenactmentSettings) -> None:
        """Open the person's networks and find their test clips.

        Raises:
            ToolkitError: no person is ready here, no test clips, or what does not fit together.
        """
        person, device = load_person(run), find_device(settings.device)
        self._shards = settings.shards or person.shards
        self._renderer: Renderer = open_model(person.renderer, device, makes="frames")
        self._model: MotionModel = open_model(person.motion_model, device, makes="motion")
        self.folder = run / FOLDER
        self.parts, self._trained = self._find_parts(person.identity, settings.split)
        check_renderer(self._renderer, self.parts[0])
        check_model(self._model, self.parts[0])
        self.num_videos = 5 * len(self.parts)
        networks = (person.renderer, person.motion_model)
        self._made_of = {
            "networks": [hash_file(path) for path in networks],
            "clips": [[part.id, part.first, part.num_frames] for part in self.parts],
        }

    @property
    def systems(self) -> Mapping[str, Path]:
        """Name -> folder of its videos."""
        return {name: self.folder / name for name in (MODEL, MEAN, OTHER, OWN)}

    def make(self) -> Iterator[Path]:
        """Write the videos that are not there yet, and yield each.

        Those of other networks or clips are removed first.

        Raises:
            BusyError: another process makes them.
            ToolkitError: they cannot be written.
        """
        with hold_folder(self.folder, lambda: "another zoo evaluate person is at work here"):
            self._begin()
            for k, part in enumerate(self.parts):
                drawings: dict[str, Callable[[], Iterator[Picture]]] = {
                    REAL: partial(map, part.read_frame, range(part.num_frames)),
                    MODEL: partial(speak_clip, self._renderer, self._model, part, self._shards),
                    MEAN: partial(self._stand, part),
                    OTHER: partial(self._borrow, part, k),
                    OWN: partial(self._draw, part, part),
                }
                for name, draw in drawings.items():
                    path = self.folder / name / f"{part.id}.mp4"
                    if not path.is_file():
                        path.parent.mkdir(exist_ok=True)
                        comment = "" if name == REAL else COMMENT
                        write_video(path, draw(), fps=part.fps, pcm=read_pcm(part), comment=comment)
                    yield path

    def _find_parts(
        self, identity: str, split: str
    ) -> tuple[tuple[RenderClip, ...], tuple[RenderClip, ...]]:
        """What is drawn anew, and what the renderer learnt from."""
        clips = load_render_clips(self._shards, identity=identity)
        known = self._renderer.trained_on
        trained = tuple(clip.take(*known[clip.id]) for clip in clips if clip.id in known)
        if split != HELD_OUT:
            return load_render_clips(self._shards, identity=identity, split=split), trained or clips
        held = self._renderer.held_out
        rests = [clip.take(*held[clip.id]) for clip in clips if clip.id in held]
        parts = tuple(r for r in rests if r.num_frames >= SHORTEST * r.fps) or tuple(rests)
        if left := len(rests) - len(parts):
            warnings.warn(
                f"{left} held-out rests of clips are under {SHORTEST:.0f} s long: left out",
                stacklevel=2,
            )
        if not parts:
            raise ToolkitError(f"{self._renderer.path}: holds nothing out: choose --split test")
        return parts, trained or clips

    def _begin(self) -> None:
        """Remove videos that were made of something else, and say what is made of what."""
        path = self.folder / _RECORD
        text = json.dumps(self._made_of)
        if path.is_file() and path.read_text("utf-8") == text:
            return
        for name in (REAL, *self.systems):
            for video in (self.folder / name).glob("*.mp4"):  # texts beside them are the user's
                video.unlink()
        with write_whole(path) as temporary:
            temporary.write_text(text, "utf-8")

    def _stand(self, part: RenderClip) -> Iterator[Picture]:
        """Of the mean expression and lids of the training frames, the head at rest."""
        num = part.num_frames
        expression = np.concatenate([clip.expression for clip in self._trained]).mean(axis=0)
        movement = Movement(
            expression=np.tile(expression, (num, 1)),
            pose=np.tile(part.model_pose.mean(axis=0), (num, 1)),
            au45=np.full(num, np.concatenate([clip.au45 for clip in self._trained]).mean()),
        )
        return show_crops(part, movement.draw(self._renderer, part.camera))

    def _borrow(self, part: RenderClip, k: int) -> Iterator[Picture]:
        """Of the motion of the next part; of what the renderer learnt from where there is none."""
        longest = max(self._trained, key=lambda clip: clip.num_frames)
        other = self.parts[(k + 1) % len(self.parts)] if len(self.parts) > 1 else longest
        return self._draw(part, other)

    def _draw(self, part: RenderClip, moving: RenderClip) -> Iterator[Picture]:
        """Of a clip's real motion, forwards and backwards, where the head of the part is."""
        order = itertools.chain(range(moving.num_frames), swing_back(moving.num_frames))
        frames = list(itertools.islice(order, part.num_frames))
        pose = moving.model_pose[frames]
        movement = Movement(
            expression=moving.expression[frames],
            pose=pose + (part.model_pose.mean(axis=0) - pose.mean(axis=0)),
            au45=moving.au45[frames],
        )
        return show_crops(part, movement.draw(self._renderer, part.camera))


def read_pcm(part: RenderClip) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Samples (S,) of a part of a clip, 16 kHz."""
    start, last = part.reader.clips[part.index].start_frame, part.first + part.num_frames
    first, end = (count_samples(start, frames, part.fps) for frames in (part.first, last))
    pcm = part.reader.read("audio/pcm", part.index)[first:end]
    return np.asarray(pcm, np.int16)
