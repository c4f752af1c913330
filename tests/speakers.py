"""People whose jaw follows what they say: generated speech, drawn meshes."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from tests.datasets import FakeClip, write_dataset
from tests.faces import MODEL, draw_mesh, draw_poses
from toolkit.dataset.split import SplitOptions, split_dataset
from toolkit.mesh import LIP_MIDDLES
from zoo.synthetic.speech import VOWELS, GeneratedSpeech

GAP = 20
"""Frames that are not measured, see `write_speakers`."""

JAW_MM = 12.0
"""How far down a jaw goes in a vowel."""

BELOW = MODEL.mean_shape[:, 1] > MODEL.mean_shape[list(LIP_MIDDLES), 1].mean()
"""(V,) vertices under the line between the lips."""


def open_jaws(person: int, opening: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Meshes (n, V, 3), mm, of a person whose jaw is down by shares (n,) of `JAW_MM`."""
    shape = MODEL.shape(np.random.default_rng(person).normal(0, 1, 80))
    shapes = np.repeat(shape[None], len(opening), axis=0)
    shapes[:, BELOW, 1] += JAW_MM * opening[:, None]
    return shapes


def mark_gap(num_frames: int, gap: int) -> npt.NDArray[np.bool_]:
    """(n,): which frames are measured, all but so many from the fifth on."""
    return ~np.isin(np.arange(num_frames), np.arange(4, 4 + gap))


def draw_speaker(person: int, number: int, num_frames: int, gap: int = 0) -> FakeClip:
    """A clip in which every vowel opens the mouth; the head moves a little."""
    rng = np.random.default_rng([person, number])
    scores = GeneratedSpeech().speak(person, num_frames, (), rng).scores
    opening = gaussian_filter1d(np.exp(scores[:, VOWELS]).sum(axis=1), 1.0)
    shapes = open_jaws(person, opening)
    return FakeClip(
        identity=f"person-{person}",
        source=f"videos/person-{person}-{number}.mp4",
        num_frames=num_frames,
        arrays={
            "audio/deepspeech": scores,
            "face/landmarks": draw_mesh(shapes, draw_poses(rng, num_frames, yaw=0.03)),
            "face/ear": np.full((num_frames, 2), 0.3, np.float32),
            "face/valid": mark_gap(num_frames, gap),
        },
    )


def write_speakers(
    folder: Path,
    *,
    people: int = 4,
    clips: int = 2,
    num_frames: int = 240,
    with_gaps: bool = False,
) -> Path:
    """A dataset of so many clips of each, split by clip.

    With gaps person k's clips lack `GAP` · k measured frames: batches differ in how many they have.
    """
    drawn = [
        draw_speaker(who, k, num_frames, GAP * who if with_gaps else 0)
        for who in range(people)
        for k in range(clips)
    ]
    write_dataset(folder, {"speakers": drawn})
    split_dataset(folder, SplitOptions(by="clip"))
    return folder
