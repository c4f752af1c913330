"""Evaluation of motion: which checkpoint speaks for whom."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from tests.datasets import FakeClip, write_dataset
from toolkit.dataset.split import SplitOptions, split_dataset
from toolkit.errors import ToolkitError
from zoo.data import MotionClip
from zoo.evaluation.motion import _measure_by_position, evaluate_part


@pytest.mark.parametrize("identity", ["../../mine", "a/b", "..", "a\\b"])
def test_an_identity_that_is_a_path_chooses_no_checkpoint(identity: str, tmp_path: Path) -> None:
    clips = [FakeClip(source=f"{i}.mp4", identity=identity, num_frames=130) for i in range(3)]
    write_dataset(tmp_path / "d", {"a": clips})
    split_dataset(tmp_path / "d", SplitOptions(ratio="1-1-1"))
    with pytest.raises(ToolkitError, match=re.escape(f"{identity!r} cannot be part of a file")):
        evaluate_part(str(tmp_path / "runs" / "{identity}" / "best.pt"), tmp_path / "d", "test")
    with pytest.raises(ToolkitError, match=r"best\.pt: no such checkpoint"):
        evaluate_part(str(tmp_path / "runs" / "best.pt"), tmp_path / "d", "test")


def test_errors_along_a_window_count_the_frames_of_short_clips() -> None:
    """A clip of 128 frames off by 1 and one of 20 off by 2: sqrt((1 + 4) / 2), then 1."""
    truth = [
        MotionClip(
            id=str(n), identity="ann", source="a.mp4", start_frame=0, fps=30,
            audio=np.zeros((n, 29), np.float32), motion=np.zeros((n, 71), np.float32),
            valid=np.ones(n, bool),
        )
        for n in (128, 20)
    ]  # fmt: skip
    made = [clip.motion + off for clip, off in zip(truth, (1, 2), strict=True)]
    errors = _measure_by_position(made, truth)
    assert errors[:20] == pytest.approx([math.sqrt(2.5)] * 20)
    assert errors[20:] == pytest.approx([1] * 108)
    assert _measure_by_position(made[1:], truth[1:]) == pytest.approx([2] * 20)
