"""The table of models: every name makes one that runs forward and backward; what zoo list says."""

import dataclasses
import json
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner

import toolkit.cli
import zoo
import zoo.cli
import zoo.cli.train
from toolkit.schema import ARRAYS
from zoo import create_model, list_models
from zoo.cli import groups
from zoo.models.facial.presets import check_part
from zoo.models.family import Family
from zoo.models.registry import find_family, list_families, make_options
from zoo.models.renderer.inputs import WindowMaker
from zoo.models.renderer.networks import create_discriminator
from zoo.training.options import RunOptions

INPUTS = {
    "facial-gan": lambda: (torch.randn(2, 32 + 15, 29), torch.randn(2, 71)),
    "renderer": lambda: (torch.randn(1, 40, 64, 64),),
    "deepspeech": lambda: (torch.randn(1, 161, 40),),
    "personalization": lambda: (torch.randn(2, 128, 71),),
    "at-net": lambda: (torch.randn(2, 3, 28, 12), torch.randn(2, 6)),
    "l-gan": lambda: (torch.randn(2, 6, 29),),
    "blink-gan": lambda: (torch.randn(2, 75, 10),),
    "styleheat-audio": lambda: (torch.randn(2, 3, 64, 64), torch.randn(2, 32, 80)),
    "styleheat-calibration": lambda: (torch.randn(2, 16, 64, 64), torch.randn(2, 256)),
    "styleheat-video": lambda: (torch.randn(2, 3, 64, 64), torch.randn(2, 27, 73)),
    "syncnet": lambda: (torch.randn(2, 1, 5, 48, 48), torch.randn(2, 1, 13, 20)),
    "styleheat-prior": lambda: (torch.randn(1, 3, 128, 128),),
    "t-gan": lambda: tuple(torch.randn(count, 3, 64, 64) for count in (2, 1, 1)),
    "vg-net": lambda: (torch.randn(2, 3, 128, 128), torch.randn(2, 136), torch.randn(2, 2, 136)),
}
"""Name -> what its `forward` takes."""

OPTIONS = {
    "renderer": {"preset": "small", "size": 64},
    "styleheat-calibration": {"features": 16},
    "t-gan": {"preset": "small", "size": 64},
}
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
    with pytest.raises(ValueError, match=r"no model 'gpt': choose from .*facial-gan"):
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
    assert all(f"zoo train {name}" in commands for name, commands in listed.items())
    lines = {line for commands in listed.values() for line in commands}
    assert all(find_command(line.split()) is not None for line in lines)
    videos = {"zoo evaluate video", "zoo evaluate compare"}  # of any system, with a model or not
    tables = {"export": groups.EXPORT, "evaluate": groups.EVALUATE, "convert": groups.CONVERT}
    tables["edit"] = groups.EDIT
    lines |= videos
    assert lines >= {f"zoo {group} {name}" for group, table in tables.items() for name in table}


def test_lists_of_models_agree() -> None:
    """`zoo list`, `zoo train`, `list_models` and what `create_model` makes."""
    listed = json.loads(CliRunner().invoke(zoo.cli.main, ["list", "--json"]).stdout)
    train = zoo.cli.train.train
    assert [model["name"] for model in listed] == list(list_models())
    assert train.list_commands(click.Context(train)) == list(list_models())
    for model in listed:
        for preset in model["presets"]:
            assert create_model(model["name"], preset=preset) is not None


@pytest.mark.parametrize("family", list_families(), ids=lambda family: family.name)
def test_a_record_says_what_is_there(family: Family) -> None:
    """Its functions exist, its arrays are the shards', its presets those of the options."""
    for part in (family.create, family.train, family.open):
        assert callable(pkgutil.resolve_name(part))
    assert set(family.reads) <= set(ARRAYS)
    for training in filter(None, (family.training, family.finetuning)):
        options = pkgutil.resolve_name(training.options)
        fields = {field.name: field for field in dataclasses.fields(options)}
        assert issubclass(options, RunOptions)
        if "preset" in fields:
            assert fields["preset"].metadata["one_of"] == family.presets
            assert fields["preset"].default == family.presets[0]


@pytest.mark.parametrize("name", list_models())
def test_an_unknown_preset_is_refused_everywhere(name: str, tmp_path: Path) -> None:
    """By the model and by the options of its training, with those there are."""
    known = ", ".join(find_family(name).presets)
    with pytest.raises(ValueError, match=f"preset 'huge': choose from {known}"):
        create_model(name, preset="huge")
    fields = pkgutil.resolve_name(find_family(name).training.options).__dataclass_fields__
    if "preset" in fields:
        with pytest.raises(ValueError, match=f"preset 'huge': choose from {known}"):
            make_options(name, shards=tmp_path, preset="huge", **NEEDED.get(name, {}))


NEEDED = {
    "renderer": {"identity": "ann"},
    "styleheat-audio": {"video": Path("video.pt"), "syncnet": Path("sync.pt")},
    "styleheat-calibration": {"video": Path("video.pt")},
}
"""Options without a default, beside the shards."""


@pytest.mark.parametrize(
    "make",
    [
        lambda: create_discriminator("huge"),
        lambda: WindowMaker.of_person(None, None, 1.0, preset="huge", without=""),
        lambda: check_part("huge", "local"),
    ],
)
def test_parts_of_a_family_refuse_an_unknown_preset(make: Callable[[], object]) -> None:
    """Whoever calls them."""
    with pytest.raises(ValueError, match="preset 'huge': choose from paper, small, official"):
        make()


def test_the_list_is_readable() -> None:
    """A line for what each is, and its commands below, whole, each on a line to be copied."""
    lines = CliRunner().invoke(zoo.cli.main, ["list"]).stdout.splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("renderer: motion to one"))
    commands = ["train renderer", "reenact", "synthesize", "personalize"]
    assert lines[first + 1 : first + 6] == [
        "    presets: paper, small, official", *(f"    zoo {words}" for words in commands)
    ]  # fmt: skip
    assert max(map(len, lines)) < 100
