"""Models that train straight from the toolkit's shards."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

__all__ = ["create_model", "list_models"]

_MODELS = {
    "facial-gan": "zoo.models.facial.presets:create_facial_gan",
    "renderer": "zoo.models.renderer.networks:create_generator",
}
"""Name -> what makes the model, `module:function`; imported when it is asked for."""


def list_models() -> tuple[str, ...]:
    """Every name that `create_model` takes."""
    return tuple(sorted(_MODELS))


def create_model(name: str, **options: Any) -> "nn.Module":
    """A new model, with the random weights that torch's seed gives.

    Args:
        name: one of `list_models()`.
        options: of the function that makes it.

    Raises:
        ValueError: there is no such model, or no such option value.
    """
    if name not in _MODELS:
        raise ValueError(f"no model {name!r}: there are {', '.join(list_models())}")
    module, function = _MODELS[name].split(":")
    model: nn.Module = getattr(importlib.import_module(module), function)(**options)
    return model
