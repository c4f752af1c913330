"""What the recipes of all models share: how an option is declared, and the words some take."""

import dataclasses
from typing import Any

PRECISIONS = ("fp32", "bf16")


def option(text: str, **more: Any) -> Any:
    """A field of a recipe that its command offers as an option, with this help text."""
    return dataclasses.field(metadata={"help": text}, **more)
