"""Figures: means over blocks, pictures chosen, sheets."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from zoo.evaluation.figures import SIDE, TITLE, average_blocks, pick, write_sheet

COLUMNS = 6


def test_errors_are_averaged_over_whole_blocks():
    error = np.zeros((18, 18))
    error[:8, 8:16], error[16:] = 64, 1000
    np.testing.assert_array_equal(average_blocks(error), [[0, 64], [0, 0]])


def test_pictures_are_picked_and_no_more_are_drawn():
    asked = []

    def draw():
        for t in range(100):
            asked.append(t)
            yield np.full((2, 2, 3), t, np.uint8)

    assert [int(p[0, 0, 0]) for p in pick(draw(), [3, 7])] == [3, 7]
    assert asked == list(range(8))


def test_a_sheet_has_its_rows_below_one_another(tmp_path: Path):
    def fill(level):
        return [cv2.merge([np.full((256, 256), level, np.uint8)] * 3)] * COLUMNS

    write_sheet({"dark": fill(60), "light": fill(200)}, tmp_path / "s.png")
    sheet = np.asarray(Image.open(tmp_path / "s.png").convert("RGB")).astype(int)
    assert sheet.shape == (2 * (SIDE + TITLE), COLUMNS * SIDE, 3)
    assert np.abs(sheet[TITLE : TITLE + SIDE] - 60).max() < 4
    assert np.abs(sheet[-SIDE:] - 200).max() < 4
