"""The table of models: every name makes one that runs forward and backward; what zoo list says."""

import json
import subprocess
import sys

import click
import pytest
import torch
from click.testing import CliRunner

import toolkit.cli
import zoo
import zoo.cli
from zoo import create_model, list_models
from zoo.cli import groups

INPUTS = {
    "facial-gan": lambda: (torch.randn(2, 32 + 15, 29), torch.randn(2, 71)),
    "renderer": lambda: (torch.randn(1, 40, 64, 64),),
}
"""Name -> what its `forward` takes."""

OPTIONS = {"renderer": {"preset": "small", "size": 64}}
"""Of those that are large by default."""


@pytest.mark.parametrize("name", list_models())
def test_every_model_runs_forward_and_backward(name: str) -> None:
    """With finite numbers, and a gradient at what its forward uses."""
    torch.manual_seed(0)
    model = create_model(name, **OPTIONS.get(name, {}))
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
        "import sys, zoo; zoo.list_models(); "
        "from zoo.models.facial import options; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert done.stdout == b"False\n"


# --- zoo list -----------------------------------------------------------------------------------


def find_command(words: list[str]) -> click.Command | None:
    """What a line such as `zoo train renderer` would run."""
    found: click.Command | None = {"ttk": toolkit.cli.main, "zoo": zoo.cli.main}[words[0]]
    for word in words[1:]:
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word)
    return found


def test_what_can_be_trained_is_listed_with_its_commands() -> None:
    """Every one exists, and every command of a model stands somewhere."""
    result = CliRunner().invoke(zoo.cli.main, ["list", "--json"])
    assert result.exit_code == 0
    listed = {model["name"]: model["commands"] for model in json.loads(result.stdout)}
    assert list(listed) == sorted(groups.TRAIN)
    assert all(f"zoo train {name}" in commands for name, commands in listed.items())
    lines = {line for commands in listed.values() for line in commands}
    assert all(find_command(line.split()) is not None for line in lines)
    tables = {
        "train": groups.TRAIN,
        "finetune": groups.FINETUNE,
        "export": groups.EXPORT,
        "evaluate": groups.EVALUATE,
        "convert": groups.CONVERT,
    }
    assert lines >= {f"zoo {group} {name}" for group, table in tables.items() for name in table}


def test_the_list_is_readable() -> None:
    """A line for what each is, and its commands below, within 80 columns where words allow."""
    lines = CliRunner().invoke(zoo.cli.main, ["list"]).stdout.splitlines()
    assert lines[-2].startswith("renderer: motion to one person's video")
    assert lines[-1] == "    zoo train renderer, zoo reenact, zoo synthesize, zoo personalize"
    assert max(map(len, lines)) < 100
