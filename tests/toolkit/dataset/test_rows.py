"""Measured columns, by hand-computed cases."""

import pytest

from toolkit.dataset.rows import measure_outside_share


@pytest.mark.parametrize(
    ("crop", "share"),
    [
        ((0, 0, 100, 100), 0.0),
        ((-50, 0, 50, 100), 0.5),
        ((-100, -100, 300, 300), 15 / 16),  # 100 · 100 of 400 · 400
        ((60, 60, 160, 160), 0.84),  # 40 · 40 of 100 · 100
        ((200, 0, 300, 100), 1.0),
    ],
)
def test_the_share_of_a_crop_outside_a_picture_of_100_px(
    crop: tuple[int, ...], share: float
) -> None:
    assert measure_outside_share(crop, (100, 100)) == pytest.approx(share)
