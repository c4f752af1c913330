"""The families of models: one record each, in the `__init__.py` of its folder.

Families that are trained one upon the other share a folder, and their records stand in `FAMILIES`.

The command line, `zoo.create_model`, `zoo.list_models`, `zoo list` and docs/models.md come from
these records. Modules of a family are imported when they are asked for.
"""

import functools
import importlib
import itertools
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zoo.models
from toolkit.errors import ToolkitError
from zoo.models.family import Family

if TYPE_CHECKING:
    import torch
    from torch import nn

    from zoo.training.distributed import Distributed
    from zoo.training.loop import Metrics, Step


@functools.cache
def list_families() -> tuple[Family, ...]:
    """Every family's record, by name."""
    folders = (module.name for module in pkgutil.iter_modules(zoo.models.__path__) if module.ispkg)
    records = itertools.chain.from_iterable(map(_read_records, folders))
    return tuple(sorted(records, key=lambda family: family.name))


def _read_records(folder: str) -> tuple[Family, ...]:
    module = importlib.import_module(f"zoo.models.{folder}")
    records: tuple[Family, ...] | None = getattr(module, "FAMILIES", None)
    return (module.FAMILY,) if records is None else records


def list_models() -> tuple[str, ...]:
    """Names of all families, as `create_model` and `zoo train` take them."""
    return tuple(family.name for family in list_families())


def find_family(name: str) -> Family:
    """The record of a name; ValueError where there is none."""
    for family in list_families():
        if family.name == name:
            return family
    raise ValueError(f"no model {name!r}: choose from {', '.join(list_models())}")


def create_model(name: str, preset: str | None = None, **options: Any) -> "nn.Module":
    """A new model, with the random weights that torch's seed gives.

    Args:
        name: one of `list_models()`.
        preset: one of the family's; None: its first.
        options: of the function that makes it.

    Raises:
        ValueError: there is no such model or preset, or no such option value.
    """
    family = find_family(name)
    model: nn.Module = resolve(family, "create")(
        family.presets[0] if preset is None else preset, **options
    )
    return model


def open_model(
    path: Path, device: "torch.device | str" = "cpu", *, makes: str, family: str | None = None
) -> Any:
    """The trained model of a checkpoint, of whichever family, ready for use on a device.

    Args:
        path: the checkpoint.
        device: where it is to run.
        makes: what it must make, as `Family.makes`; says what is returned: `motion` a
            `zoo.motion.model.MotionModel`, `frames` a `zoo.speaking.renderer.Renderer`,
            `distances` a `zoo.evaluation.sync.Judge`, `landmarks` a
            `zoo.models.l_gan.model.LandmarkModel` or a `zoo.models.at_net.model.LandmarkSpeaker`,
            `eyes` a `zoo.models.blink_gan.model.BlinkModel`, `faces` a
            `zoo.models.t_gan.model.TrainedTGan` or a `zoo.models.vg_net.model.TrainedVGNet`.
        family: the one that it must be of, where several make the same in ways of their own.

    Raises:
        ToolkitError: no such checkpoint, or one that makes something else; and as the family's.
    """
    from zoo.training.checkpoint import load_checkpoint

    families = {
        known.name: known
        for known in list_families()
        if known.makes == makes and family in (None, known.name)
    }
    bare = path.suffix == ".safetensors"
    kind = None if bare else load_checkpoint(path).get("kind")
    published = [known for known in families.values() if known.opens_published]
    if published and kind is None:
        return resolve(published[0], "open")(path, device)
    if kind not in families:
        what = kind or "something else"
        raise ToolkitError(f"{path}: a checkpoint of {what}, not of {' or '.join(families)}")
    return resolve(families[kind], "open")(path, device)


def make_options(name: str, command: str = "training", **values: Any) -> Any:
    """Options of a family's `training` or `finetuning`; ValueError for values outside limits."""
    return pkgutil.resolve_name(getattr(find_family(name), command).options)(**values)


def train_model(
    name: str,
    options: Any,
    out: Path,
    *,
    distributed: "Distributed | None" = None,
    resume: bool = False,
    on_step: "Callable[[Step], None]" = lambda step: None,
    say: "Callable[[str], None]" = lambda text: None,
) -> "Metrics":
    """Train a family's model with its options; the best epoch's figures, errors as its `train`."""
    best: Metrics = resolve(find_family(name), "train")(
        options, out, distributed=distributed, resume=resume, on_step=on_step, say=say
    )
    return best


def resolve(family: Family, part: str) -> Any:
    """What a record's field `part`, a "module:name", stands for."""
    return pkgutil.resolve_name(getattr(family, part))
