"""Evaluation of motion: which checkpoint speaks for whom."""

import re
from pathlib import Path

import pytest

from tests.datasets import FakeClip, write_dataset
from toolkit.dataset.split import SplitOptions, split_dataset
from toolkit.errors import ToolkitError
from zoo.evaluation.motion import evaluate_part


@pytest.mark.parametrize("identity", ["../../mine", "a/b", "..", "a\\b"])
def test_an_identity_that_is_a_path_chooses_no_checkpoint(identity: str, tmp_path: Path) -> None:
    clips = [FakeClip(source=f"{i}.mp4", identity=identity, num_frames=130) for i in range(3)]
    write_dataset(tmp_path / "d", {"a": clips})
    split_dataset(tmp_path / "d", SplitOptions(ratio="1-1-1"))
    with pytest.raises(ToolkitError, match=re.escape(f"{identity!r} cannot be part of a file")):
        evaluate_part(str(tmp_path / "runs" / "{identity}" / "best.pt"), tmp_path / "d", "test")
    with pytest.raises(ToolkitError, match=r"best\.pt: no such checkpoint"):
        evaluate_part(str(tmp_path / "runs" / "best.pt"), tmp_path / "d", "test")
