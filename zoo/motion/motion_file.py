"""`motion.npz`: generated motion as named arrays with their units, nothing that can be executed.

| array | shape | content |
| --- | --- | --- |
| expression | (n, 64) float32 | standard deviations of the face model's basis |
| pose | (n, 6) float32 | pitch, yaw, roll in rad; tx, ty, tz in mm |
| au45 | (n,) float32 | intensity, 0 to 5 |
| fps | () int64 | frames a second |
| layout | () text | name and version of the order of the 71 numbers |
| units | (4, 2) text | name and unit of each of the above that has one |
"""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from toolkit.storage import check_ending, check_place, write_whole
from zoo.data import AU45, EXPRESSION, MOTION_LAYOUT, MOTION_SIZE, POSE

UNITS = {
    "expression": "standard deviations of the face model's basis",
    "pose": "pitch, yaw, roll: rad; tx, ty, tz: mm",
    "au45": "intensity, 0 to 5",
    "fps": "frames a second",
}


@dataclass(frozen=True, eq=False)
class MotionFile:
    """What a `motion.npz` holds.

    Attributes:
        motion: (n, 71) float32 in stored units.
        fps: frames a second.
    """

    motion: npt.NDArray[np.float32]
    fps: int


def save_motion(
    path: Path,
    motion: npt.ArrayLike,
    fps: int,
    *,
    layout: str = MOTION_LAYOUT,
    pose_unit: str = UNITS["pose"],
) -> None:
    """Write motion (n, 71) in stored units; the same motion gives the same bytes.

    Args:
        path: the file.
        motion: in the toolkit's order, whatever its layout.
        fps: frames a second.
        layout: name and version of what the numbers are.
        pose_unit: of `pose`, where the layout is another.

    Raises:
        ValueError: another shape, or see `check_motion_place`.
        StorageError: the disk refuses.
    """
    check_motion_place(path)
    values = np.asarray(motion, np.float32)
    if values.ndim != 2 or values.shape[1] != MOTION_SIZE:
        raise ValueError(f"motion of shape {values.shape}, not (n, {MOTION_SIZE})")
    content = io.BytesIO()  # a zip file that a full disk cuts off complains once more when it goes
    np.savez(
        content,
        expression=values[:, EXPRESSION],
        pose=values[:, POSE],
        au45=values[:, AU45.start],
        fps=np.int64(fps),
        layout=np.array(layout),
        units=np.array([*(UNITS | {"pose": pose_unit}).items()]),
    )
    with write_whole(path) as temporary:
        temporary.write_bytes(content.getvalue())


def check_motion_place(path: Path) -> None:
    """Refuse a file that motion could not be written into, before the work that goes into it.

    Raises:
        ValueError: its name does not end in `.npz`.
        StorageError: see `check_place`.
    """
    check_ending(path, (".npz",))
    check_place(path)


def load_motion(path: Path) -> MotionFile:
    """Read what `save_motion` wrote.

    Raises:
        ToolkitError: missing, damaged, no motion, or of another layout.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            layout = str(file["layout"])
            parts = [file["expression"], file["pose"], file["au45"][:, None]]
            motion = np.concatenate(parts, axis=1, dtype=np.float32)
            fps = int(file["fps"])
    except FileNotFoundError as error:
        raise ToolkitError(f"{path}: no such motion") from error
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise ToolkitError(f"{path}: damaged or no motion: {error}") from error
    if layout != MOTION_LAYOUT or motion.shape[1] != MOTION_SIZE:
        raise ToolkitError(
            f"{path}: motion of layout {layout}, not {MOTION_LAYOUT}: it can be read with numpy, "
            "not drawn"
        )
    return MotionFile(motion, fps)
