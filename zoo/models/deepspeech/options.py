"""What `zoo train deepspeech` can be told; the command derives its options from this record."""

from dataclasses import dataclass
from pathlib import Path

from toolkit.features.deepspeech_sizes import NetworkSizes
from zoo.training.options import PRECISIONS, option


@dataclass(frozen=True, kw_only=True)
class DeepSpeechRecipe:
    """Settings of a run; those without a help text are no options of the command.

    Attributes:
        learning_rate: after a warm-up; falls to nothing over the last third.
        synthetic_share: sentences read by robots for every recording.
        dropout: share of the recurrent layers' inputs that is dropped.
        sizes: of the network.
    """

    speech: Path = option("Folder with transcripts.csv and the recordings that it names.")
    text: tuple[Path, ...] = option(
        "Text that synthesised voices read: files or folders; else the transcripts.", default=()
    )
    epochs: int = option("An epoch is every recording once.", default=16)
    batch_seconds: float = option("Sound in a batch, s.", default=100.0)
    learning_rate: float = 1e-3
    synthetic_hours: float = option("Hours of synthesised speech; 0: none.", default=4.0)
    synthetic_share: float = 0.5
    dropout: float = 0.1
    initial: Path | None = option("Weights to begin with, of these sizes.", default=None)
    seed: int = option("Of weights, order and augmentation.", default=0)
    device: str = option("Where to train, as torch calls it: cpu, cuda, cuda:1.", default="cpu")
    precision: str = option("fp32 or bf16, twice as fast on some processors.", default="fp32")
    workers: int = option("Processes that prepare batches; 0: this one.", default=1)
    sizes: NetworkSizes = NetworkSizes()

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; raises ValueError."""
        if min(self.epochs, self.batch_seconds, self.learning_rate) <= 0:
            raise ValueError("epochs, batch_seconds and learning_rate must be positive")
        if min(self.synthetic_hours, self.synthetic_share, self.workers, self.seed) < 0:
            raise ValueError("synthetic_hours, synthetic_share, workers and seed: none is negative")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision {self.precision!r}: choose from {', '.join(PRECISIONS)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is not a share under 1")
