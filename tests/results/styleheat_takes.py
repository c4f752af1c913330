"""Stretches of held-out clips as StyleHEAT draws them, and what `zoo evaluate` says of them.

A method's videos lie in a folder of its name, the real ones beside them, all in the square of the
source picture, the first frame, by FFHQ's rule.

Legend: n frames of a stretch, H the side of a picture.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.accuracy.real import choose_evenly
from toolkit.clock import SAMPLE_RATE
from toolkit.media.encode import write_video
from zoo.data.driver import RATE
from zoo.data.picture_files import Picture
from zoo.evaluation.options import EvaluationOptions
from zoo.evaluation.pairing import list_tasks
from zoo.evaluation.summary import summarise, write_mean, write_unit
from zoo.evaluation.systems import check_some, evaluate_tasks, list_systems
from zoo.landmarks.cut import cut_square
from zoo.landmarks.ffhq import align_ffhq
from zoo.models.styleheat.clips import DrivenClip, load_driven_clips
from zoo.models.styleheat.coefficients import keep_expression
from zoo.models.styleheat.model import TrainedStyleHEAT
from zoo.training.pictures import to_pictures

Floats = npt.NDArray[np.float32]

REAL_FOLDER = "real"

LEAST_FRAMES = 38
"""Of a stretch: what the judge of lip-sync needs, 1.44 s, and two more."""

LOSSLESS = 10
"""Rate factor of the encoder: hardly any loss, so that methods differ by what they draw."""

Draw = Callable[["Take"], Iterable[Picture]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Take:
    """Consecutive measured frames of a clip, the first of which is the source picture.

    Attributes:
        name: of its videos.
        identity: who is seen.
        frames: (n, H, H, 3), the source first.
        driven: (n, 27, 73) windows about them.
        still: (n, 27, 73) the same with the source's expression.
        mel: (n, 32, 80) windows of their sound.
        pcm: (samples,) int16, 16 kHz, of the same.
    """

    name: str
    identity: str
    frames: Picture
    driven: Floats
    still: Floats
    mel: Floats
    pcm: npt.NDArray[np.int16]

    def __len__(self) -> int:
        """Its frames, n."""
        return len(self.frames)


def cut_takes(dataset: Path, size: int, names: Sequence[str], seconds: float) -> list[Take]:
    """Of each of these people the longest stretch, from its beginning.

    Args:
        dataset: of clips.
        size: H.
        names: of people.
        seconds: at most.
    """
    clips = load_driven_clips(dataset / "shards", num_frames=LEAST_FRAMES, split=None)
    takes = []
    for name in names:
        own = [clip for clip in clips if clip.identity == name]
        if own:
            clip = max(own, key=lambda each: find_longest(each)[1] - find_longest(each)[0])
            takes.append(cut_take(clip, size, seconds))
    return takes


def find_longest(clip: DrivenClip) -> tuple[int, int]:
    """First frame of its longest stretch, and the one behind its last."""
    first, last = max(clip.stretches, key=lambda stretch: stretch[1] - stretch[0])
    return int(first), int(last)


def cut_take(clip: DrivenClip, size: int, seconds: float) -> Take:
    """The beginning of a clip's longest stretch."""
    first, last = find_longest(clip)
    frames = np.arange(first, min(last, first + round(seconds * RATE)))
    align = align_ffhq(clip.points[first])
    windows = clip.describe(first, frames)
    return Take(
        name=clip.identity,
        identity=clip.identity,
        frames=np.stack([cut_square(clip.read(t), align, size) for t in frames]),
        driven=windows,
        still=keep_expression(windows),
        mel=clip.hear(first, int(frames[-1]) + 1),
        pcm=clip.cut_sound(first, round(len(frames) / RATE * SAMPLE_RATE)),
    )


# --- methods ------------------------------------------------------------------------------------


def draw_inverted(model: TrainedStyleHEAT) -> Draw:
    """Each frame by itself, inverted and drawn again: what no flow can be better than."""
    return lambda take: (to_pictures(model.enter(frame).shown)[0] for frame in take.frames)


def draw_by_video(model: TrainedStyleHEAT) -> Draw:
    """The first frame, moved by coefficients."""
    return lambda take: model.draw(model.enter(take.frames[0]), take.driven, None)


def draw_posed(model: TrainedStyleHEAT) -> Draw:
    """The same with the source's expression throughout."""
    return lambda take: model.draw(model.enter(take.frames[0]), take.still, None)


def draw_by_sound(model: TrainedStyleHEAT, *, kind: str = "") -> Draw:
    """The first frame, moved by sound.

    `kind`: of its own; `shuffled`: as long after, in a circle, as half of the take is; `mean`: one
    window throughout, the mean of its own.
    """
    changes: dict[str, Callable[[Floats], Floats]] = {
        "": lambda mel: mel,
        "shuffled": lambda mel: np.roll(mel, len(mel) // 2, axis=0),
        "mean": lambda mel: np.broadcast_to(mel.mean(axis=0), mel.shape),
    }
    return lambda take: model.draw(model.enter(take.frames[0]), None, changes[kind](take.mel))


def draw_by_both(model: TrainedStyleHEAT) -> Draw:
    """The head by coefficients, the lips by sound."""
    return lambda take: model.draw(model.enter(take.frames[0]), take.still, take.mel)


# --- figures ------------------------------------------------------------------------------------


def evaluate(
    methods: Mapping[str, Draw],
    takes: Sequence[Take],
    folder: Path,
    metrics: Sequence[str],
    sync: Path | None = None,
) -> list[dict[str, Any]]:
    """A row for each method and for the first picture, still, by `zoo evaluate`.

    Args:
        methods: by their names.
        takes: of held-out people, each a video.
        folder: where the videos are written.
        metrics: names; those that a machine lacks a judge for have a dash.
        sync: judge of lip-sync, or None.
    """
    for name, draw in {REAL_FOLDER: lambda take: take.frames, **methods}.items():
        place = folder / name.replace(" ", "-").replace(",", "")
        place.mkdir(parents=True, exist_ok=True)
        for take in takes:
            print(f"{name}: {take.name}", file=sys.stderr, flush=True)
            write_video(
                place / f"{take.name}.mp4", draw(take), fps=RATE, pcm=take.pcm, crf=LOSSLESS
            )
    options = EvaluationOptions(metrics=",".join(metrics), sync_judge=sync, device="cpu")
    places = {name: folder / name.replace(" ", "-").replace(",", "") for name in methods}
    tasks = list_tasks(places, folder / REAL_FOLDER)
    rows = [row for found in evaluate_tasks(tasks, options) for row in found]
    check_some(rows)
    summary = summarise(rows, options.list_metrics())
    return [
        {"shown": system, "videos": len(takes), "frames": sum(map(len, takes))}
        | {
            " ".join(filter(None, (metric.name, write_unit(metric)))): write_mean(
                summary[metric.name][system]
            )
            if system in summary.get(metric.name, {})
            else "–"
            for metric in options.list_metrics()
        }
        for system in list_systems(rows)
    ]


def limit(names: Sequence[str], most: int) -> list[str]:
    """At most so many of them, evenly spaced."""
    return choose_evenly(list(names), most)
