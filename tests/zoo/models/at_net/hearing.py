"""People whose jaw follows how bright their voice is, at any loudness."""

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from tests.datasets import CROP, INTRINSICS
from tests.faces import draw_mesh, draw_poses
from tests.speakers import GAP, mark_gap, open_jaws
from toolkit.clock import SAMPLE_RATE, count_samples
from toolkit.dataset.split import SplitOptions, split_dataset
from toolkit.dataset.writer import ClipRow, DatasetWriter


def speak(opening, num_samples, rng):
    """Samples (S,) int16: noise below 400 Hz that gives way to noise around 2.5 kHz."""
    white = rng.normal(size=num_samples)
    dark = gaussian_filter1d(white, 6)
    bright = (white - gaussian_filter1d(white, 1.5)) * np.linspace(1, 0.3, num_samples)
    share = np.interp(np.linspace(0, len(opening), num_samples), np.arange(len(opening)), opening)
    mixed = (1 - share) * dark / dark.std() + share * bright / bright.std()
    return np.asarray(3000 * mixed, np.int16)


def draw_person(person, number, num_frames, fps, gap=0):
    """A clip: landmarks and sound in step; the head moves a little.

    `gap`: frames from the fifth on that are not measured.
    """
    rng = np.random.default_rng([person, number])
    opening = gaussian_filter1d(rng.uniform(size=num_frames), 1.5)
    opening = np.clip((opening - 0.3) / 0.4, 0, 1)
    return ClipRow(
        clip_id=f"person-{person}-{number}",
        identity=f"person-{person}",
        source=f"videos/person-{person}-{number}.mp4",
        source_sha256=f"{person}{number}",
        start_frame=0,
        num_frames=num_frames,
        crop=CROP,
        intrinsics=INTRINSICS,
        arrays={
            "face/landmarks": draw_mesh(
                open_jaws(person, opening), draw_poses(rng, num_frames, yaw=0.03)
            ),
            "face/valid": mark_gap(num_frames, gap),
        },
        pcm=speak(opening, count_samples(0, num_frames, fps), rng),
    )


def write_people(
    folder: Path,
    *,
    people: int = 4,
    clips: int = 2,
    num_frames: int = 150,
    fps: int = 25,
    with_gaps: bool = False,
) -> Path:
    """A dataset of so many clips of each, split by clip; see `write_speakers` for the gaps."""
    with DatasetWriter(
        folder, "j", options={"fps": fps}, fps=fps, frame_size=0, provenance={}
    ) as writer:
        for person in range(people):
            for number in range(clips):
                gap = GAP * person if with_gaps else 0
                writer.add_clip(draw_person(person, number, num_frames, fps, gap))
    split_dataset(folder, SplitOptions(by="clip"))
    return folder


def play(seconds):
    """A recording whose voice changes twice a second."""
    rng = np.random.default_rng(9)
    opening = gaussian_filter1d(rng.uniform(size=max(2, round(25 * seconds))), 2)
    return speak(np.clip((opening - 0.3) / 0.4, 0, 1), round(SAMPLE_RATE * seconds), rng)
