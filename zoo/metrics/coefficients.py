"""Distances of expression (AED) and head pose (APD) from the real ones, frame by frame.

Neither has a common definition: papers differ in the face model, in the norm, and in whether the
translation is part of the pose. The names say both: the embedded model's coefficients in its
standard deviations, the angles of `face/pose`.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def measure_aed_l1(expression: npt.ArrayLike, real_expression: npt.ArrayLike) -> Floats:
    """Mean absolute difference (n,) of coefficients (n, 64), standard deviations."""
    return _average_l1(_subtract(expression, real_expression))


def measure_aed_rms(expression: npt.ArrayLike, real_expression: npt.ArrayLike) -> Floats:
    """Root mean square difference (n,) of coefficients (n, 64), standard deviations."""
    return _average_rms(_subtract(expression, real_expression))


def measure_apd_l1(pose: npt.ArrayLike, real_pose: npt.ArrayLike) -> Floats:
    """Mean absolute difference (n,) of pitch, yaw and roll of poses (n, 6), degrees."""
    return _average_l1(_subtract_angles(pose, real_pose))


def measure_apd_rms(pose: npt.ArrayLike, real_pose: npt.ArrayLike) -> Floats:
    """Root mean square difference (n,) of pitch, yaw and roll of poses (n, 6), degrees."""
    return _average_rms(_subtract_angles(pose, real_pose))


def measure_apd_translation(pose: npt.ArrayLike, real_pose: npt.ArrayLike) -> Floats:
    """Mean absolute difference (n,) of tx, ty and tz of poses (n, 6), mm."""
    return _average_l1(_subtract(pose, real_pose)[:, 3:])


def _subtract(pred: npt.ArrayLike, target: npt.ArrayLike) -> Floats:
    pred, target = np.asarray(pred, np.float64), np.asarray(target, np.float64)
    if pred.shape != target.shape:
        raise ValueError(f"{pred.shape} and {target.shape} cannot be compared")
    return np.asarray(pred - target)


def _subtract_angles(pred: npt.ArrayLike, target: npt.ArrayLike) -> Floats:
    """(n, 3) degrees, from −180 to 180."""
    degrees = np.degrees(_subtract(pred, target)[:, :3])
    return np.asarray((degrees + 180) % 360 - 180)


def _average_l1(differences: Floats) -> Floats:
    return np.asarray(np.abs(differences).mean(axis=1))


def _average_rms(differences: Floats) -> Floats:
    return np.asarray(np.sqrt(np.square(differences).mean(axis=1)))
