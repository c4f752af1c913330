"""Build the face model: `python -m toolkit.facemodel.learning.build DATASET --out MODEL.npz`.

The dataset is one that `ttk ingest --coefficients none` made. Needed of it: landmarks, crops,
intrinsics, identities; and the stored frames, for colours.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.dataset.shard import ShardReader
from toolkit.errors import ShardError, ToolkitError
from toolkit.facemodel.learning.population import FaceClip, gather_faces, learn_model, leave_one_out
from toolkit.facemodel.model import DEFAULT_PATH
from toolkit.mesh import NUM_VERTICES

COLOR_FRAMES = 24
"""Frames of a clip whose colours count."""


def read_clips(dataset: Path) -> Iterator[FaceClip]:
    """Clips of all shards of a dataset, frames that were measured only.

    Raises:
        ShardError: no shards there, or one lacks landmarks or frames.
    """
    paths = sorted((dataset / "shards").glob("*.h5"))
    if not paths:
        raise ShardError(f"{dataset / 'shards'}: no shards; run ttk ingest --coefficients none")
    for path in paths:
        shard = ShardReader(path)
        for c in range(len(shard.clips)):
            yield read_clip(shard, c)


def read_clip(shard: ShardReader, c: int) -> FaceClip:
    """One clip of a shard: measured frames in source pixels, colours of some of them."""
    clip = shard.clips[c]
    good = np.flatnonzero(shard.read("face/valid", c))
    landmarks = shard.read("face/landmarks", c)[good]
    shown = np.unique(np.linspace(0, max(len(good) - 1, 0), COLOR_FRAMES).astype(np.int64))
    colors = [sample_colors(shard.frame(c, int(good[k])), landmarks[k]) for k in shown[: len(good)]]
    x0, y0, x1, _ = clip.crop
    scale = (x1 - x0) / shard.frame_size
    return FaceClip(
        name=f"{clip.identity}: {Path(clip.source).name}, frame {clip.start_frame}",
        identity=clip.identity,
        landmarks=(landmarks * scale + (x0, y0, 0.0)).astype(np.float32),
        intrinsics=clip.intrinsics,
        color_frames=shown[: len(good)],
        colors=np.array(colors, np.uint8).reshape(-1, NUM_VERTICES, 3),
    )


def sample_colors(
    picture: npt.NDArray[np.uint8], landmarks: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """RGB (468, 3) of a picture at the mesh's vertices, the nearest pixel's."""
    height, width = picture.shape[:2]
    x = np.clip(np.rint(landmarks[:NUM_VERTICES, 0]), 0, width - 1).astype(np.int64)
    y = np.clip(np.rint(landmarks[:NUM_VERTICES, 1]), 0, height - 1).astype(np.int64)
    return np.asarray(picture[y, x])


def main(arguments: list[str] | None = None) -> int:
    """The command; see `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit.facemodel.learning.build",
        description="Build the face model from a dataset made with --coefficients none.",
    )
    parser.add_argument("dataset", type=Path, help="folder with shards/")
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH, help="the model to write")
    parser.add_argument(
        "--check", action="store_true", help="also fit every person by a model of the others"
    )
    options = parser.parse_args(arguments)
    try:
        faces = gather_faces(read_clips(options.dataset))
        model = learn_model(faces, np.arange(len(faces.people)))
        model.save(options.out)
        print(f"{options.out}: {len(faces.people)} people, {model.record['frames']} frames")
        if options.check:
            print_residuals(leave_one_out(faces))
    except (ToolkitError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def print_residuals(left: dict[str, tuple[float, float, float]]) -> None:
    """One line per person and the root mean square over people."""
    mean = np.sqrt(np.mean(np.square(list(left.values())), axis=0))
    for name, row in (*left.items(), ("all", tuple(mean))):
        print(f"{name:24s} mean {row[0]:.2f}  identity {row[1]:.2f}  expression {row[2]:.2f} mm")


if __name__ == "__main__":
    sys.exit(main())
