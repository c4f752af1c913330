"""The table of models: every name makes one that runs forward and backward."""

import subprocess
import sys

import pytest
import torch

import zoo
from zoo import create_model, list_models

INPUTS = {
    "facial-gan": lambda: (torch.randn(2, 32 + 15, 29), torch.randn(2, 71)),
}
"""Name -> what its `forward` takes."""


@pytest.mark.parametrize("name", list_models())
def test_every_model_runs_forward_and_backward(name: str) -> None:
    """With finite numbers, and a gradient at what its forward uses."""
    torch.manual_seed(0)
    model = create_model(name)
    found = model(*INPUTS[name]())
    assert torch.isfinite(found).all()
    found.square().mean().backward()
    grads = [value.grad for value in model.parameters() if value.grad is not None]
    assert sum(grad.abs().sum() for grad in grads) > 0


def test_models_are_listed_in_order() -> None:
    """And the package offers no other names."""
    assert list(list_models()) == sorted(list_models())
    assert "facial-gan" in list_models()
    assert zoo.__all__ == sorted(zoo.__all__)


def test_options_reach_the_model() -> None:
    """Those of the function that makes it."""
    small, paper = (create_model("facial-gan", preset=name) for name in ("small", "paper"))
    sizes = [sum(value.numel() for value in model.parameters()) for model in (small, paper)]
    assert sizes[1] - sizes[0] == 1_555_329 - 98_529


def test_an_unknown_model_is_an_error_that_names_those_there_are() -> None:
    """A caller's mistake."""
    with pytest.raises(ValueError, match=r"no model 'gpt': there are .*facial-gan"):
        create_model("gpt")


def test_listing_models_and_reading_options_need_no_torch() -> None:
    """So that `--help` is quick."""
    program = (
        "import sys, zoo, zoo.facial; zoo.list_models(); "
        "from zoo.facial import options; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert done.stdout == b"False\n"
