"""What a run of the acoustic model leaves: a checkpoint, and weights that the toolkit takes."""

from pathlib import Path

from safetensors.torch import save

from toolkit.schema import DEEPSPEECH_SYMBOLS
from toolkit.storage import write_whole
from zoo.training.checkpoint import load_checkpoint

KIND = "deepspeech"

WEIGHTS = "best.safetensors"
"""What a run of the recipe leaves for users, in its folder."""


def find_run_weights(path: Path | None) -> Path | None:
    """`WEIGHTS` of a run's folder; any other path as it is."""
    return path / WEIGHTS if path is not None and path.is_dir() else path


def export_weights(checkpoint: Path, target: Path, delay: float = 0.0) -> None:
    """Write a checkpoint's network as float16 safetensors; its statistics stay float32.

    Args:
        checkpoint: of a run.
        target: the file to write.
        delay: seconds by which the network was measured to be late.
    """
    model = load_checkpoint(checkpoint, KIND)["model"]
    tensors = {
        name: tensor.half() if name.endswith(("weight", "bias")) or ".rnn." in name else tensor
        for name, tensor in model["network"].items()
    }
    content = save(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        {"labels": "".join(DEEPSPEECH_SYMBOLS), "delay": f"{delay:.4f}"},
    )
    with write_whole(target) as temporary:
        temporary.write_bytes(content)  # `save_file` makes a file that its owner alone may read
