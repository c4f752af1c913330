"""A dataset of drawn people whose landmarks say where their mouths are, and a network for it."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import simplejpeg

from tests.datasets import CROP, INTRINSICS
from toolkit.clock import count_samples
from toolkit.dataset.split import SplitOptions, split_dataset
from toolkit.dataset.writer import ClipRow, DatasetWriter
from toolkit.mesh import LANDMARKS68, NUM_LANDMARKS
from toolkit.schema import Provenance
from zoo.models.t_gan.presets import Preset

SIDE, FPS, NUM_FRAMES = 64, 25, 10

TINY = Preset(
    size=SIDE, widths=(8, 8, 16, 16, 16, 16), packed=True, half_size_judge=True, references=1,
    support=2, queries=1, finetuning_batch=2, epochs=1,
)  # fmt: skip

TINY_VGG = tuple(4 if width else 0 for width in (1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1))


def place_points(opening: float) -> npt.NDArray[np.float64]:
    """(68, 2) px: a circle for the face's outline, a square for what is still, lips that open."""
    angles = np.linspace(0, np.pi, 17)
    points = np.full((68, 2), 32.0)
    points[:17] = np.stack([32 - 24 * np.cos(angles), 30 + 26 * np.sin(angles)], axis=1)
    points[17:48] += np.random.default_rng(0).uniform(-14, 10, (31, 2))
    turns = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    points[48:] = np.stack(
        [32 + 11 * np.cos(turns), 46 + (1 + 8 * opening) * np.sin(turns)], axis=1
    )
    return points


def draw_person(points: npt.NDArray[np.float64], skin: int) -> npt.NDArray[np.uint8]:
    """(64, 64, 3): a dark mouth within the lips."""
    picture = np.full((SIDE, SIDE, 3), (skin, skin - 30, 60), np.uint8)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    height = (points[48:, 1].max() - points[48:, 1].min()) / 2
    picture[((x - 32) / 11) ** 2 + ((y - 46) / height) ** 2 < 1] = 20
    return picture


def write_people(folder: Path, *, people: int = 4, version: str = "1") -> Path:
    """The dataset's folder `shards`, half of the people to train on; frame 3 is not measured."""
    provenance = {"landmarks": Provenance(backend="drawn", version=version)}
    with DatasetWriter(
        folder, "j", options={"fps": FPS}, fps=FPS, frame_size=SIDE, provenance=provenance
    ) as writer:
        for number in range(people):
            rng = np.random.default_rng(number)
            points = np.stack([place_points(opening) for opening in rng.uniform(size=NUM_FRAMES)])
            valid = np.arange(NUM_FRAMES) != 3
            writer.add_clip(make_clip(f"person{number}", points, 100 + 40 * number, valid))
    split_dataset(folder, SplitOptions(by="identity", ratio="2-1-1"))
    return folder / "shards"


def make_clip(
    name: str,
    points: npt.NDArray[np.float64],
    skin: int,
    valid: npt.NDArray[np.bool_],
    fps: int = FPS,
) -> ClipRow:
    """A clip of one person, silent, with landmarks (n, 68, 2) px of frames that are drawn so."""
    mesh = np.zeros((len(points), NUM_LANDMARKS, 3), np.float32)
    mesh[:, list(LANDMARKS68), :2] = points
    faces = (draw_person(face, skin) for face in points)
    return ClipRow(
        clip_id=f"{name}-0",
        identity=name,
        source=f"videos/{name}.mp4",
        source_sha256=name,
        start_frame=0,
        num_frames=len(points),
        crop=CROP,
        intrinsics=INTRINSICS,
        arrays={"face/landmarks": mesh, "face/valid": valid},
        pcm=np.zeros(count_samples(0, len(points), fps), np.int16),
        frames=[simplejpeg.encode_jpeg(face, quality=95) for face in faces],
    )
