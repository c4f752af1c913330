"""CSV tables as OpenFace's: read by the toolkit's own reader of OpenFace, and by pandas."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.datasets import CROP, FPS, FakeClip
from tests.toolkit.export.conftest import SIDE
from toolkit.dataset.shard import ShardReader
from toolkit.export.openface import export_openface
from toolkit.export.options import ExportOptions
from toolkit.features.openface import read_openface
from toolkit.mesh import LANDMARKS68


@pytest.fixture(scope="module")
def folder(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("openface") / "csv"
    export_openface(dataset, out, ExportOptions())
    return out


def test_the_reader_of_openface_gets_pose_and_au45_back(
    folder: Path, clips: list[FakeClip]
) -> None:
    for clip in clips:
        table = read_openface(folder / f"{clip.id}.csv")
        assert table.frame.tolist() == list(range(1, clip.num_frames + 1))
        np.testing.assert_allclose(table.timestamp, np.arange(clip.num_frames) / FPS, rtol=1e-5)
        assert table.pose is not None and table.au45 is not None
        np.testing.assert_allclose(table.pose, clip.arrays["face/pose"], rtol=1e-5)
        np.testing.assert_allclose(table.au45, clip.arrays["face/au45"], rtol=1e-5)


def test_frames_that_are_not_valid_are_no_success(folder: Path, clips: list[FakeClip]) -> None:
    table = pd.read_csv(folder / f"{clips[0].id}.csv", skipinitialspace=True)
    assert table["success"].tolist() == [1, 1, 1, 0] + 8 * [1]
    assert table["confidence"][3] == 0


def test_names_stand_behind_a_blank_as_in_openface_before_2_2(
    folder: Path, clips: list[FakeClip]
) -> None:
    path = folder / f"{clips[0].id}.csv"
    begin = "frame, face_id, timestamp, confidence, success, pose_Tx, pose_Ty, pose_Tz, pose_Rx, "
    assert path.read_text().startswith(begin)
    assert list(pd.read_csv(path).columns[-3:]) == [" y_67", " AU45_r", " AU45_c"]


def test_points_are_in_pixels_of_the_source_counted_from_pixel_centres(
    dataset: Path, folder: Path, clips: list[FakeClip]
) -> None:
    table = pd.read_csv(folder / f"{clips[0].id}.csv", skipinitialspace=True)
    reader = ShardReader(dataset / "shards" / "j.h5")
    corner = reader.read("face/landmarks", 0)[5, LANDMARKS68[36], :2]
    x = CROP[0] + corner[0] * (CROP[2] - CROP[0]) / SIDE - 0.5
    y = CROP[1] + corner[1] * (CROP[3] - CROP[1]) / SIDE - 0.5
    assert table.loc[5, ["x_36", "y_36"]].tolist() == pytest.approx([x, y], rel=1e-5)


def test_au45_is_present_from_intensity_1_on(folder: Path, clips: list[FakeClip]) -> None:
    table = pd.read_csv(folder / f"{clips[0].id}.csv", skipinitialspace=True)
    assert table["AU45_c"].tolist() == [0, 0, 0] + 9 * [1]  # 0, 5/11, 10/11, 15/11, …
