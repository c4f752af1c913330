"""A person's clips, what is stored of them, and the renderer that draws them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from tests.results.people import Subject
from zoo.data.frames import Picture, RenderClip, Stretches, load_render_clips
from zoo.evaluation.lids import find_open_eyes, measure_au45
from zoo.evaluation.videos import Floats, Shown, look_at, show_nearest
from zoo.models.renderer.model import TrainedRenderer, open_renderer
from zoo.training.loop import BEST


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged:
    """A person's clips, what is stored of them, and who draws them.

    Attributes:
        subject: who.
        renderer: that draws them.
        clips: of all they have, whole.
        stored: clip id -> what its stored frames show; the held-out ones are judged.
        open_eyes: (2,) aperture of their open eyes in the stored frames.
    """

    subject: Subject
    renderer: TrainedRenderer
    clips: Sequence[RenderClip]
    stored: Mapping[str, Shown]
    open_eyes: Floats

    @classmethod
    def of(cls, subject: Subject) -> Self:
        """Open the renderer and look at the stored frames."""
        renderer = open_renderer(subject.renderer / BEST, torch.device("cpu"))
        clips = load_render_clips(subject.shards, identity=subject.identity)
        stored = {
            clip.id: look_at(read_frames(clip), clip, find_part(renderer.held_out, clip))
            for clip in clips
        }
        meshes = np.concatenate([shown.meshes for shown in stored.values()])
        return cls(
            subject=subject,
            renderer=renderer,
            clips=clips,
            stored=stored,
            open_eyes=find_open_eyes(meshes),
        )

    @property
    def fps(self) -> int:
        """Frames a second."""
        return self.renderer.fps

    @property
    def held(self) -> list[RenderClip]:
        """Clips with held-out frames, whole."""
        return [clip for clip in self.clips if clip.id in self.renderer.held_out]

    @property
    def trained(self) -> list[RenderClip]:
        """What the renderer was trained on."""
        known = self.renderer.trained_on
        return [clip.take(*known[clip.id]) for clip in self.clips if clip.id in known]

    def find_part(self, clip: RenderClip) -> slice:
        """Held-out frames of a clip."""
        return find_part(self.renderer.held_out, clip)

    @property
    def reference(self) -> list[Shown]:
        """What the stored frames of `held` show."""
        return [self.stored[clip.id] for clip in self.held]

    def show_nearest(self, clip: RenderClip) -> Shown:
        """Held-out frames of a clip as those training frames that are nearest in motion."""
        meshes = {name: shown.meshes for name, shown in self.stored.items()}
        return show_nearest(clip, self.find_part(clip), self.trained, meshes)

    def measure_lids(self, meshes: Floats) -> Floats:
        """AU45 (n,) of meshes (n, 478, 3) of the person; NaN where there is none."""
        return measure_au45(meshes, self.fps, self.open_eyes)


def find_part(stretches: Stretches, clip: RenderClip) -> slice:
    """A stretch of a clip; none of it where it has none."""
    return slice(*stretches.get(clip.id, (0, 0)))


def read_frames(clip: RenderClip) -> Iterator[Picture]:
    """All stored frames."""
    return (clip.read_frame(t) for t in range(clip.num_frames))
