"""What the training of every network needs."""

import contextlib
from collections.abc import Iterator

from torch import nn


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """No parameter gets a gradient within: the discriminator in the generator's step."""
    parameters = [value for value in network.parameters() if value.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
