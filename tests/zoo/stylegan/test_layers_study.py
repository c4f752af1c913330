"""Which layer to warp: each level is turned by itself."""

import numpy as np
import torch

from zoo.stylegan.generator import Generator
from zoo.stylegan.layers_study import draw_levels, draw_styles, list_levels, turn_maps


def test_a_quarter_turn_is_exact_and_none_the_identity() -> None:
    maps = torch.arange(16.0).reshape(1, 1, 4, 4)
    torch.testing.assert_close(turn_maps(maps, 90), torch.rot90(maps, -1, (2, 3)))
    torch.testing.assert_close(turn_maps(maps, 0), maps, atol=1e-5, rtol=0)


def test_the_grid_has_a_row_a_face_and_a_column_a_level() -> None:
    torch.manual_seed(0)
    generator = Generator((8, 8, 8, 6, 4), num_mapping=1)
    assert list_levels(generator) == [4, 8, 16, 32, 64]
    styles = draw_styles(generator, 2)
    sheet = draw_levels(generator, styles)
    assert sheet.shape == (2 * 64, 6 * 64, 3)
    columns = np.split(sheet, 6, axis=1)
    assert all(not np.array_equal(columns[0], column) for column in columns[1:])
    unmoved = draw_levels(generator, styles, degrees=0.0)
    assert np.abs(np.diff(np.split(unmoved.astype(int), 6, axis=1), axis=0)).max() <= 1
    assert torch.equal(draw_styles(generator, 2), styles)
