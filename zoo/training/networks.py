"""What every family does with its networks."""

import torch
from torch import nn


def copy_to_cpu(network: nn.Module) -> dict[str, torch.Tensor]:
    """A network's weights and statistics on the CPU, for a checkpoint."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
