"""Drawn people whose mouths open and who never move their heads, and networks small enough."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.zoo.models.t_gan.people import SIDE, make_clip, place_points
from toolkit.dataset.split import SplitOptions, split_dataset
from toolkit.dataset.writer import DatasetWriter
from toolkit.schema import Provenance
from zoo.models.vg_net.presets import DiscriminatorSizes, Preset

NUM_FRAMES, UNMEASURED = 22, 9

TINY = Preset(
    packed=True, image=(0, 4, 8, 8, 8), landmarks=(4, 4), attention=(4, 4), fused=4, hidden=8,
    blocks=1, decoder=(8, 8, 8, 0), dropout=0.0, epochs=2, epoch_windows=0, batch_size=2,
    learning_rate=5e-4, falls=True,
    discriminator=DiscriminatorSizes(
        packed=4, widths=(4, 8, 8), features=8, landmarks=(8, 8), hidden=8
    ),
)  # fmt: skip

WINDOW = 5


def write_talkers(
    folder: Path,
    *,
    people: int = 4,
    num_frames: int = NUM_FRAMES,
    fps: int = 25,
    version: str = "1",
    frame_size: int = SIDE,
) -> Path:
    """The dataset's folder `shards`, without pictures where they are 0 px large.

    Half of the people are to be trained on; one frame is not measured.
    """
    provenance = {"landmarks": Provenance(backend="drawn", version=version)}
    with DatasetWriter(
        folder, "j", options={"fps": fps}, fps=fps, frame_size=frame_size, provenance=provenance
    ) as writer:
        for number in range(people):
            openings = draw_openings(number, num_frames)
            points = np.stack([place_points(opening) for opening in openings])
            valid = np.arange(num_frames) != UNMEASURED
            clip = make_clip(f"person{number}", points, 100 + 40 * number, valid, fps)
            writer.add_clip(clip if frame_size else replace(clip, frames=()))
    split_dataset(folder, SplitOptions(by="identity", ratio="2-1-1"))
    return folder / "shards"


def draw_openings(number: int, num_frames: int = NUM_FRAMES) -> npt.NDArray[np.float64]:
    """How far a person's mouth is open in each frame."""
    return np.random.default_rng(number).uniform(size=num_frames)
