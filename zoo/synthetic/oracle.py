"""How well the noise-free truth of a synthetic dataset does: no model can do better."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from toolkit.features.blink import find_blinks
from zoo.data import AU45, EXPRESSION, POSE, MotionClip, load_clips
from zoo.data.source import find_dataset
from zoo.synthetic.dataset import TRUTH

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """Figures of the noise-free motion against what is stored.

    Attributes:
        expression_error: root mean square over frames and components, sd.
        turn_error: of pitch, yaw, roll, degrees.
        shift_error: of tx, ty, tz, mm.
        au45_error: root mean square, of 5.
        blink_rates: identity -> blinks a second.
        blink_seconds: identity -> mean duration at half intensity; NaN without a blink.
    """

    expression_error: float
    turn_error: float
    shift_error: float
    au45_error: float
    blink_rates: dict[str, float]
    blink_seconds: dict[str, float]

    def describe(self) -> str:
        """One line."""
        blinks = ", ".join(
            f"{name} {rate:.2f}/s of {self.blink_seconds[name]:.2f} s"
            for name, rate in self.blink_rates.items()
        )
        return (
            f"the noise-free truth is off by {self.expression_error:.4f} sd of expression, "
            f"{self.turn_error:.3f}° and {self.shift_error:.2f} mm of pose, {self.au45_error:.3f} "
            f"of AU45; its blinks: {blinks}"
        )


def load_truth(dataset: Path) -> dict[str, Floats]:
    """Clip id -> (n, 71) noise-free motion in stored units.

    Raises:
        ToolkitError: the dataset is not synthetic.
    """
    path = find_dataset(dataset) / TRUTH
    if not path.is_file():
        raise ToolkitError(f"{path}: missing: only what zoo sample facial makes has a known truth")
    with np.load(path) as content:
        ends = np.cumsum(content["num_frames"])[:-1]
        return dict(
            zip(content["clip_id"].tolist(), np.split(content["motion"], ends), strict=True)
        )


def measure_oracle(dataset: Path, split: str | None = None) -> Oracle:
    """Figures of one part of the split, or of all clips; errors as of what it calls."""
    clips, truth = load_clips(dataset, split=split), load_truth(dataset)
    error = np.concatenate([clip.motion - truth[clip.id] for clip in clips]).astype(np.float64)
    blinks = {
        name: _measure_blinks((c for c in clips if c.identity == name), truth)
        for name in clips.identities
    }
    return Oracle(
        expression_error=_root_mean_square(error[:, EXPRESSION]),
        turn_error=float(np.rad2deg(_root_mean_square(error[:, POSE][:, :3]))),
        shift_error=_root_mean_square(error[:, POSE][:, 3:]),
        au45_error=_root_mean_square(error[:, AU45]),
        blink_rates={name: rate for name, (rate, _) in blinks.items()},
        blink_seconds={name: seconds for name, (_, seconds) in blinks.items()},
    )


def _root_mean_square(error: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(error**2)))


def _measure_blinks(clips: Iterable[MotionClip], truth: dict[str, Floats]) -> tuple[float, float]:
    """Blinks a second, and their mean length in seconds."""
    seconds, lengths = 0.0, list[float]()
    for clip in clips:
        seconds += clip.num_frames / clip.fps
        found = find_blinks(truth[clip.id][:, AU45.start], clip.fps)
        lengths += [(blink.offset - blink.onset + 1) / clip.fps for blink in found]
    return len(lengths) / seconds, float(np.mean(lengths)) if lengths else float("nan")
