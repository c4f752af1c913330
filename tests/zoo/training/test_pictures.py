"""Pictures on the scale of networks."""

import numpy as np
import pytest
import torch

from zoo.training.pictures import to_pictures, to_tensor


@pytest.mark.parametrize("shape", [(8, 8, 3), (1, 8, 8, 3), (1, 1, 8, 8, 3)])
def test_pictures_survive_the_way_to_the_networks_scale_and_back(shape: tuple[int, ...]) -> None:
    levels = np.arange(192, dtype=np.uint8).reshape(shape)
    found = to_tensor(levels)
    assert found.shape[-3:] == (3, 8, 8)
    assert found.flatten().min() == -1
    assert np.array_equal(to_pictures(found), levels)


def test_colours_beyond_the_scale_are_cut_off() -> None:
    assert to_pictures(torch.tensor([-1.5, 0.0, 7.0]).reshape(3, 1, 1)).tolist() == [
        [[0, 128, 255]]
    ]
