"""Options of `zoo sample facial`."""

from dataclasses import dataclass, field
from pathlib import Path

FPS = 30

VARIANTS = ("A", "B")


@dataclass(frozen=True, kw_only=True)
class SyntheticOptions:
    """What to make."""

    variant: str = field(
        default="A",
        metadata={
            "help": "A: head and blinks follow speech. B: they come at random times.",
            "choices": VARIANTS,
        },
    )
    clips: int = field(default=45, metadata={"help": "Clips; the paper's dataset had 450."})
    seconds: float = field(default=39.7, metadata={"help": "Length of a clip."})
    identities: int = field(default=5, metadata={"help": "People."})
    speech: Path | None = field(
        default=None,
        metadata={"help": "Folder with transcripts.csv and what it names; else made-up scores."},
    )
    seed: int = field(default=0, metadata={"help": "Another seed, other people and clips."})

    @property
    def num_frames(self) -> int:
        """Frames of a clip."""
        return round(self.seconds * FPS)
