"""Shot changes are PySceneDetect's."""

import numpy as np
import pytest

from tests.numbered import Picture
from toolkit.ingest.shots import SHOT_THRESHOLD, ShotDetector


def test_scores_are_those_of_pyscenedetects_content_detector() -> None:
    scenedetect = pytest.importorskip("scenedetect")
    reference, detector = scenedetect.ContentDetector(threshold=SHOT_THRESHOLD), ShotDetector()
    rng = np.random.default_rng(0)
    for count, level in enumerate((10, 20, 20, 200, 190, 60, 255)):
        picture = rng.integers(0, level, (90, 96, 3), np.uint8)
        time = scenedetect.FrameTimecode(count, 30.0)
        reference.process_frame(time, np.ascontiguousarray(picture[..., ::-1]))
        assert detector.score(picture) == pytest.approx(reference._frame_score, abs=1e-9)


def test_a_cut_is_where_the_picture_changes_by_the_threshold() -> None:
    def flat(value: int) -> Picture:
        return np.full((40, 60, 3), value, np.uint8)

    detector = ShotDetector()
    # grey: only the value changes, one of three channels
    assert [detector.is_cut(flat(v)) for v in (200, 120, 200, 201)] == [False, False, False, False]
    assert [detector.is_cut(flat(v)) for v in (90, 171, 91)] == [True, True, False]
