"""Options of `zoo train deepspeech`."""

from dataclasses import dataclass
from pathlib import Path

from toolkit.features.deepspeech_sizes import NetworkSizes
from zoo.training.options import RunOptions, option


@dataclass(frozen=True, kw_only=True)
class DeepSpeechRecipe(RunOptions):
    """Options of a run; fields without a help text are no options of the command.

    Attributes:
        learning_rate: after a warm-up; falls to nothing over the last half.
        synthetic_share: synthetic sentences for every recording.
        dropout: share of the recurrent layers' inputs that is dropped.
        sizes: of the network.
    """

    speech: Path = option("Folder with transcripts.csv and the recordings that it names.")
    teacher: str | None = option(
        "Whisper's encoder teaches: the word package (the extra teacher), or a folder of one in "
        "CTranslate2's format. Default: no teacher.",
        default=None,
        metavar="package|FOLDER",
    )
    text: tuple[Path, ...] = option(
        "Text that synthesised voices read: files or folders; else the transcripts.", default=()
    )
    sounds: tuple[Path, ...] = option(
        "Speech without transcripts that the teacher hears: files or folders.", default=()
    )
    epochs: int = option("An epoch is every recording once.", default=16, at_least=1)
    teacher_epochs: int = option("The teacher's, over the recordings.", default=15, at_least=1)
    batch_seconds: float = option("Sound in a batch, s.", default=100.0, above=0)
    learning_rate: float = 1e-3
    synthetic_hours: float = option(
        "Hours of synthesised speech; 0: none.", default=4.0, at_least=0
    )
    synthetic_share: float = 1.0
    dropout: float = 0.1
    delay: float = option(
        "How late the network is known to be, s; the weights state it, and speech features are "
        "moved back by it.",
        default=0.0,
        above=-1,
        below=1,
    )
    initial: Path | None = option("Weights to begin with, of these sizes.", default=None)
    workers: int = option(
        "Processes that prepare batches; 0: this one. Augmentation takes as long as a step.",
        default=1,
        at_least=0,
    )
    sizes: NetworkSizes = NetworkSizes()

    def __post_init__(self) -> None:
        """Refuse values outside their limits; raises ValueError."""
        super().__post_init__()
        if self.sounds and self.teacher is None:
            raise ValueError("--sounds needs --teacher, which says what is said in them")
        if self.learning_rate <= 0 or self.synthetic_share < 0 or not 0 <= self.dropout < 1:
            raise ValueError(
                f"learning_rate {self.learning_rate}, synthetic_share {self.synthetic_share}, "
                f"dropout {self.dropout}: above 0; 0 or more; 0 or more and below 1"
            )
