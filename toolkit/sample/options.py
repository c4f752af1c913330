"""Options of `ttk sample`, apart from what draws: `--help` loads no large library."""

from dataclasses import dataclass, field

from toolkit.clock import FRAME_RATES


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """What to make."""

    identities: int = field(default=5, metadata={"help": "People, each a folder."})
    clips: int = field(default=10, metadata={"help": "Videos of each person."})
    seconds: float = field(default=10.0, metadata={"help": "Length of a video."})
    fps: int = field(default=30, metadata={"help": "Frames a second.", "choices": FRAME_RATES})
    size: int = field(
        default=384, metadata={"help": "Side of the square picture, px; a multiple of 8."}
    )
    seed: int = field(default=0, metadata={"help": "The same seed gives the same videos."})
    clap: bool = field(
        default=False,
        metadata={"help": "In place of speech, clicks on which the mouth snaps open."},
    )
    workers: int = field(
        default=0, metadata={"help": "Processes; 0: the cores this process may use."}
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be made; raises ValueError."""
        if min(self.identities, self.clips) < 1:
            raise ValueError("identities and clips must be at least 1")
        if self.fps not in FRAME_RATES:
            raise ValueError(f"fps must be one of {FRAME_RATES}, not {self.fps}")
        if not 1 <= self.seconds <= 600:
            raise ValueError(f"seconds must be from 1 to 600, not {self.seconds}")
        if not 128 <= self.size <= 1024 or self.size % 8:
            raise ValueError(f"size must be a multiple of 8 from 128 to 1024, not {self.size}")
        if min(self.seed, self.workers) < 0:
            raise ValueError("seed and workers must not be negative")
