"""Files of the released FACIAL code: its scores, its pose, and motion in its units.

Legend: n frames.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from toolkit.facemodel.official import OFFICIAL_POSE
from toolkit.schema import DEEPSPEECH_SYMBOLS
from zoo.data import MOTION_SIZE, POSE
from zoo.data.contract import Contract
from zoo.motion.generate import Motion
from zoo.motion.motion_file import save_motion

RELEASED_UNIT = "rx, ry, rz: deg; s: px/dm; tx, ty: px of 512 x 512"
STANDARD_UNIT = "rx, ry, rz, s, tx, ty less a clip's mean over its deviation"
"""Of the pose, with a clip's mean and deviation and without."""


def load_scores(path: Path, contract: Contract) -> Motion:
    """(n, 29) float32 raw logits of DeepSpeech 0.1.0, for a model converted from the released code.

    Args:
        path: `.npy`, at the model's frame rate.
        contract: of the model that is to speak.

    Raises:
        ToolkitError: the model takes no logits, or the file holds none.
    """
    if contract.scale != "logit":
        raise ToolkitError(
            f"{path}: --scores are for models of zoo convert facial-official: this one takes "
            f"{contract.scale} of {contract.backends.get('deepspeech', 'unknown')}: give --audio"
        )
    return _read_array(path, len(DEEPSPEECH_SYMBOLS), "logits")


def save_released(
    path: Path, motion: npt.ArrayLike, contract: Contract, pose_like: Path | None = None
) -> None:
    """Write what a converted model made as a motion file of the released code's units.

    Args:
        path: the file, see `save_motion`.
        motion: (n, 71) in the toolkit's order, its pose of mean 0 and deviation 1.
        contract: the model's.
        pose_like: `.npy` (n, 71) motion of a clip, as the released code stores it: pose in degrees,
            px/dm and px, AU45, expression. The motion gets its pose's mean and deviation.

    Raises:
        ToolkitError: no such motion in the file.
    """
    motion = np.array(motion, np.float32)
    if pose_like is not None:
        pose = _read_array(pose_like, MOTION_SIZE, "motion")[:, OFFICIAL_POSE]
        motion[:, POSE] = motion[:, POSE] * pose.std(axis=0) + pose.mean(axis=0)
    unit = STANDARD_UNIT if pose_like is None else RELEASED_UNIT
    save_motion(path, motion, contract.fps, layout=contract.layout, pose_unit=unit)


def _read_array(path: Path, width: int, what: str) -> Motion:
    """(n, width) finite numbers, n at least 1."""
    try:
        values = np.asarray(np.load(path, allow_pickle=False), np.float32)
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise ToolkitError(f"{path}: missing or no .npy file of numbers: {error}") from error
    if values.ndim != 2 or values.shape[1] != width or not len(values):
        raise ToolkitError(f"{path}: {what} of shape {values.shape}, not (n, {width})")
    if not np.isfinite(values).all():
        raise ToolkitError(f"{path}: {what} that are NaN or infinite")
    return values
