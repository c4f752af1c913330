"""What the papers asked their raters, and the tables that they print."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One question about a video, answered by a whole number.

    Attributes:
        name: in the table and in the files of answers.
        question: as raters read it.
        labels: number -> what stands at it.
    """

    name: str
    question: str
    labels: Mapping[int, str]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a paper had videos rated.

    Attributes:
        name: short name.
        source: paper and section.
        criteria: questions about every video.
        raters: how many people took part.
        videos: that each of them rated.
        examples: that each of them saw before, whose answers do not count.
        percent: the paper prints means as shares of the highest answer.
        published: method -> criterion -> mean, as the paper prints it.
    """

    name: str
    source: str
    criteria: tuple[Criterion, ...]
    raters: int
    videos: int
    examples: int
    percent: bool
    published: Mapping[str, Mapping[str, float]]


_FIVE = {-2: "very bad", -1: "bad", 0: "normal", 1: "good", 2: "very good"}
_TEN = {1: "fake", **dict.fromkeys(range(2, 10), ""), 10: "real"}

_FACIAL_NAMES = ("image", "lip", "pose", "blink")
_FACIAL_ROWS = {
    "ATVG": (-1.1, 0.2, -1.6, -1.3),
    "DAVS": (-1.2, -1.7, -1.7, -1.6),
    "Zhou": (0.8, 0.9, 0.6, 1.0),
    "Yi": (1.6, 0.8, 0.9, 0.2),
    "Vougioukas": (-0.6, 1.1, -1.3, -1.4),
    "Chen": (-1.2, 0.2, 0.3, -0.3),
    "FACIAL": (1.6, 1.2, 1.7, 1.4),
    "real video": (1.9, 2.0, 1.9, 2.0),
}

FACIAL = Protocol(
    name="facial",
    source="FACIAL, ICCV 2021, 5.4, Table 2",
    criteria=(
        Criterion(name="image", question="How photo-realistic is the picture?", labels=_FIVE),
        Criterion(name="lip", question="How well do the lips fit the sound?", labels=_FIVE),
        Criterion(name="pose", question="How natural is the motion of the head?", labels=_FIVE),
        Criterion(name="blink", question="How realistic are the eye blinks?", labels=_FIVE),
    ),
    raters=20,
    videos=18,
    examples=3,
    percent=False,
    published={
        method: dict(zip(_FACIAL_NAMES, means, strict=True))
        for method, means in _FACIAL_ROWS.items()
    },
)

DAS = Protocol(
    name="das",
    source="Das et al., ECCV 2020, 4.2",
    criteria=(
        Criterion(
            name="realism",
            question="How real is this video? 1: it is fake. 10: it is real.",
            labels=_TEN,
        ),
    ),
    raters=25,
    videos=30,
    examples=0,
    percent=True,
    published={
        "Chen": {"realism": 58.48},
        "Vougioukas": {"realism": 61.29},
        "Das": {"realism": 72.76},
    },
)

PROTOCOLS = {protocol.name: protocol for protocol in (FACIAL, DAS)}
