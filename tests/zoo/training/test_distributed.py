"""What the processes of a training run share."""

import pytest
import torch

from toolkit.errors import ToolkitError
from zoo.training.distributed import find_device


def test_a_device_that_is_not_there_is_an_error_in_one_line() -> None:
    assert find_device("cpu") == torch.device("cpu")
    for name in ("nonsense", "cuda:77"):
        with pytest.raises(ToolkitError, match=f"--device {name}: cannot be used here") as caught:
            find_device(name)
        assert "\n" not in str(caught.value)
