"""Figures: means over blocks, pictures chosen, sheets."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from zoo.evaluation.figures import (
    SIDE,
    TITLE,
    average_blocks,
    cut_part,
    draw_curves,
    draw_traces,
    pick,
    write_sheet,
)

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


def test_rows_of_a_sheet_keep_their_pictures_shape(tmp_path: Path):
    """Pictures of 40 × 80 px, 96 wide in the sheet, are 48 high; squares are 96."""
    rows = {
        "squares": [np.full((40, 40, 3), 60, np.uint8)],
        "flat": [np.full((40, 80, 3), 200, np.uint8)] * 2,
    }
    write_sheet(rows, tmp_path / "s.png", 96)
    sheet = np.asarray(Image.open(tmp_path / "s.png").convert("RGB")).astype(int)
    assert sheet.shape == (96 + 48 + 2 * TITLE, 2 * 96, 3)
    assert np.abs(sheet[-48:] - 200).max() < 4


def test_a_part_is_cut_around_its_points_wherever_they_are():
    """Points 20 px apart about (50, 40), twice as wide and half as high: 40 × 20 px from (30, 30).

    At the picture's corner its border goes on.
    """
    across, down = np.meshgrid(np.arange(100), np.arange(80))
    picture = np.stack([across, down, np.zeros_like(down)], axis=2).astype(np.uint8)
    mesh = np.zeros((478, 3))
    mesh[[3, 7], 0], mesh[[3, 7], 1] = (39.5, 59.5), 39.5
    part = cut_part(picture, mesh, [3, 7], 2.0)
    assert part.shape == (20, 40, 3)
    assert part[0, 0, :2].tolist() == [30, 30]
    assert part[-1, -1, :2].tolist() == [69, 49]
    corner = cut_part(picture, mesh - (49.5, 39.5, 0), [3, 7], 2.0)
    assert (corner[0, :20, 0] == 0).all()


def test_curves_are_drawn_in_a_panel_each(tmp_path: Path):
    series = {"a": {"one": ([0, 1], [2, 1]), "two": ([0, 2], [3, 2])}, "b": {"one": ([0], [1])}}
    draw_curves(series, "minutes", tmp_path / "two.png")
    draw_curves({"a": series["a"]}, "minutes", tmp_path / "one.png")
    two, one = (Image.open(tmp_path / name).size for name in ("two.png", "one.png"))
    assert two == (2 * one[0], one[1])


def test_a_head_that_turns_leaves_more_traces_than_one_that_rests(tmp_path: Path):
    """Side by side in one scale, the resting one first; the same picture from the same motion."""
    rest = np.zeros((120, 71), np.float32)
    rest[:, 69] = 600
    turned = rest.copy()
    turned[:, 65] = 0.3 * np.sin(np.arange(120) / 20)
    for name in ("a.png", "b.png"):
        draw_traces({"rest": rest, "turned": turned}, tmp_path / name)
    picture, again = (np.asarray(Image.open(tmp_path / name)) for name in ("a.png", "b.png"))
    np.testing.assert_array_equal(picture, again)
    ink = 255 - picture[40:, :, :3].mean(axis=2)
    middle = ink.shape[1] // 2
    assert 0 < 3 * ink[:, :middle].sum() < ink[:, middle:].sum()
