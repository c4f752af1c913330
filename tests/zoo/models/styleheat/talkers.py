"""Drawn people who talk and turn a little, and networks small enough for them."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg
import torch
from torch import nn

from tests.datasets import CROP, INTRINSICS
from toolkit.clock import count_samples
from toolkit.dataset.split import SplitOptions, split_dataset
from toolkit.dataset.writer import ClipRow, DatasetWriter
from toolkit.mesh import LANDMARKS68, NOSE_BASE, NUM_LANDMARKS, OUTER_EYE_CORNERS
from toolkit.schema import Provenance
from toolkit.storage import hash_file
from zoo.models.styleheat.calibration import create_calibration
from zoo.models.styleheat.coefficients import LAYOUT
from zoo.models.styleheat.motion import create_audio_motion, create_video_motion
from zoo.models.styleheat.presets import Preset
from zoo.models.syncnet.networks import create_syncnet
from zoo.stylegan.prior import KIND, Prior
from zoo.stylegan.sizes import PriorSizes
from zoo.training.checkpoint import save_checkpoint

SIDE, FPS, NUM_FRAMES, UNMEASURED = 64, 25, 24, 9

TINY = Preset(
    side=64, width=4, most=8, layers=3, mapped=8, calibration=4, heads=1,
    discriminator=(4, 4, 4, 4, 4), scales=1, batch_size=5, rate=1e-3, motion_rate=1e-3,
    epoch_steps=2, epochs=1, joint_epochs=1,
)  # fmt: skip

TINY_VGG = tuple(4 if width else 0 for width in (1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1))

TINY_PRIOR = PriorSizes(generator=(4, 4, 4, 4, 4), encoder=(4, 4, 4, 4, 4), mapping=1)


def place_points(opening: float, away: float) -> npt.NDArray[np.float64]:
    """(68, 2) px: eyes 16 px apart, lips that open; all of it moved to the right."""
    points = np.full((68, 2), 32.0)
    points[:17] = [[32 - 24 * np.cos(t), 30 + 26 * np.sin(t)] for t in np.linspace(0, np.pi, 17)]
    points[27:36] = [[32 + (k % 3), 26 + k] for k in range(9)]
    for first, middle in ((36, 24), (42, 40)):
        points[first : first + 6] = [
            [middle + 4 * np.cos(t), 26 + 2 * np.sin(t)] for t in np.linspace(0, 2 * np.pi, 7)[:6]
        ]
    points[48:] = [
        [32 + 8 * np.cos(t), 44 + (1 + 6 * opening) * np.sin(t)]
        for t in np.linspace(np.pi, 3 * np.pi, 21)[:20]
    ]
    points[54, 0] = points[48, 0] + 16
    points[54, 1] = points[48, 1]
    points[:, 0] += away
    return points


def draw_person(points: npt.NDArray[np.float64], skin: int) -> npt.NDArray[np.uint8]:
    """(64, 64, 3): a dark mouth within the lips, and dark eyes."""
    picture = np.full((SIDE, SIDE, 3), (skin, skin - 30, 60), np.uint8)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    for part in (slice(36, 42), slice(42, 48), slice(48, 68)):
        (left, top), (right, bottom) = points[part].min(axis=0), points[part].max(axis=0)
        across = (2 * x - left - right) / (right - left)
        down = (2 * y - top - bottom) / (bottom - top)
        picture[across**2 + down**2 < 1] = 20
    return picture


def write_talkers(folder: Path, *, people: int = 4, fps: int = FPS, frame_size: int = SIDE) -> Path:
    """The dataset's folder `shards`, half of the people to train on; one frame is not measured."""
    provenance = {
        name: Provenance(backend="drawn", version="1") for name in ("landmarks", "coefficients")
    }
    with DatasetWriter(
        folder, "j", options={"fps": fps}, fps=fps, frame_size=frame_size, provenance=provenance
    ) as writer:
        for number in range(people):
            writer.add_clip(_make_clip(number, fps, frame_size))
    split_dataset(folder, SplitOptions(by="identity", ratio="2-1-1"))
    return folder / "shards"


def _make_clip(number: int, fps: int, frame_size: int) -> ClipRow:
    rng = np.random.default_rng(number)
    openings, away = rng.uniform(size=NUM_FRAMES), rng.uniform(-2, 2, NUM_FRAMES)
    points = np.stack([place_points(a, b) for a, b in zip(openings, away, strict=True)])
    mesh = np.zeros((NUM_FRAMES, NUM_LANDMARKS, 3), np.float32)
    mesh[:, list(LANDMARKS68), :2] = points
    mesh[:, OUTER_EYE_CORNERS[0], :2], mesh[:, OUTER_EYE_CORNERS[1], :2] = (20, 26), (44, 26)
    mesh[:, NOSE_BASE, :2] = (32, 34)
    expression = np.zeros((NUM_FRAMES, 64), np.float32)
    expression[:, 0] = openings
    pose = np.zeros((NUM_FRAMES, 6), np.float32)
    pose[:, 1], pose[:, 3], pose[:, 5] = 0.01 * away, 5 * away, 600
    faces = (draw_person(face, 100 + 40 * number) for face in points)
    return ClipRow(
        clip_id=f"person{number}-0",
        identity=f"person{number}",
        source=f"videos/person{number}.mp4",
        source_sha256=f"person{number}",
        start_frame=0,
        num_frames=NUM_FRAMES,
        crop=CROP,
        intrinsics=INTRINSICS,
        arrays={
            "face/landmarks": mesh,
            "face/valid": np.arange(NUM_FRAMES) != UNMEASURED,
            "face/expression": expression,
            "face/model_pose": pose,
        },
        pcm=rng.integers(-3000, 3000, count_samples(0, NUM_FRAMES, fps)).astype(np.int16),
        frames=[simplejpeg.encode_jpeg(face, quality=95) for face in faces] if frame_size else (),
    )


def save_prior(path: Path, seed: int = 0) -> Path:
    """A tiny prior of random weights."""
    torch.manual_seed(seed)
    prior = Prior(TINY_PRIOR)
    model: dict[str, Any] = {"sizes": TINY_PRIOR.to_state(), "prior": prior.state_dict()}
    save_checkpoint(path, {"kind": KIND, "recipe": {}, "model": model})
    return path


def save_stage(
    path: Path, prior: Path, *, features: int = TINY_PRIOR.generator[4], **changes: Any
) -> Path:
    """A checkpoint of stage 2b of random weights, of the preset `small` as it is patched."""
    torch.manual_seed(0)
    networks: dict[str, nn.Module] = {
        "video": create_video_motion(),
        "audio": create_audio_motion(),
        "calibration": create_calibration(features=features),
    }
    content: dict[str, Any] = {
        "preset": "small",
        "layout": LAYOUT,
        "size": SIDE,
        "prior": {"path": str(prior), "sha256": hash_file(prior)},
        "backends": {},
        "mapping": "mlp",
        "networks": {name: network.state_dict() for name, network in networks.items()},
        "trained_on": [],
    }
    kind = "styleheat-calibration"
    save_checkpoint(path, {"kind": kind, "recipe": {}, "model": content | changes})
    return path


def save_syncnet(path: Path) -> Path:
    """The small judge of random weights."""
    torch.manual_seed(0)
    model = {"preset": "small", "network": create_syncnet("small").state_dict()}
    save_checkpoint(path, {"kind": "syncnet", "recipe": {}, "model": model})
    return path
