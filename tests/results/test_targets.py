"""What is asked of a renderer, and which clips choose: by hand-computed cases."""

import pytest

from tests.results.people import _divide
from tests.results.reenactment import DRAWN, NEAREST, judge_minutes, judge_rows


@pytest.mark.parametrize(
    ("psnr", "mouth", "met"), [(28.1, 1.0, ["yes", "yes"]), (27.9, 1.1, ["no", "no"])]
)
def test_a_renderer_is_judged_beside_the_nearest_frame(psnr, mouth, met):
    """Two dB more than 26, half of 2 px."""
    drawn, nearest = {"PSNR, dB": psnr, "mouth, px": mouth}, {"PSNR, dB": 26.0, "mouth, px": 2.0}
    assert [row["met"] for row in judge_rows({DRAWN: drawn, NEAREST: nearest})] == met


@pytest.mark.parametrize(
    ("minutes", "starts", "met"), [(44.9, 1, "yes"), (45.1, 1, "no"), (9.0, 2, "no")]
)
def test_the_minutes_of_a_killed_training_do_not_count(minutes, starts, met):
    row = judge_minutes({"minutes": minutes, "starts": starts, "threads": 2})
    assert row["met"] == met


def test_every_sixth_clip_chooses():
    parts = [row["split"] for row in _divide([str(k) for k in range(12)])]
    assert parts == [*["val", *["train"] * 5]] * 2
