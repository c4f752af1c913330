"""What is said in a measured video, and what a judge reads from its sound.

What is said lies in NAME.txt beside the video, or else beside the real one. It belongs to the whole
video, so the whole sound is judged, whatever part of it stands beside real frames.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import SetupError
from toolkit.features.whisper import PACKAGE, SHA256, VERSION, Whisper, find_package
from toolkit.media.audio import read_samples
from toolkit.schema import Provenance
from zoo.data.transcripts import find_doubt, normalise_text
from zoo.evaluation.speech import read_words
from zoo.metrics.table import Metric

if TYPE_CHECKING:
    from zoo.evaluation.tracked import TrackedVideo

TRANSCRIPT, RECOGNISED = "transcript", "recognised"


@functools.cache
def open_judge() -> Whisper:
    """Whisper of the extra `teacher`, on one thread; SetupError where it cannot be used."""
    return Whisper(threads=1)


def find_judge() -> Provenance | None:
    """Name, package and digest of the judge, which is not loaded; None where it is not there."""
    try:
        find_package()
    except SetupError:
        return None
    if find_spec("faster_whisper") is None:
        return None
    version = f"tiny.en, {PACKAGE} {VERSION}"
    return Provenance(backend="Whisper", version=version, weights_sha256=SHA256 or "")


@dataclass(frozen=True, kw_only=True)
class Voice:
    """What is said in a video, and what the judge reads.

    Attributes:
        arrays: `transcript` and `recognised`, in a–z, apostrophe and single spaces; or none.
        problem: why there are none, where a metric asks for them.
        note: what is wrong with the text beside the video; that beside the real one has its note
            there.
    """

    arrays: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    note: str = ""


def listen(metrics: Sequence[Metric], video: "TrackedVideo", real: "TrackedVideo | None") -> Voice:
    """A video's voice; the judge is loaded where a metric, a text and sound ask for it."""
    if not any(RECOGNISED in metric.needs for metric in metrics):
        return Voice()
    text = find_text(video.path, None if real is None else real.path)
    if text is None:
        return Voice(problem="needs what is said, as NAME.txt beside the video or the real one")
    try:
        transcript = read_transcript(text)
    except ValueError as error:
        is_own = text.parent == video.path.parent
        return Voice(problem=str(error), note=str(error) if is_own else "")
    if video.sound is None:
        return Voice(problem=f"the video has no sound: {video.silence}")
    try:
        return Voice(arrays={TRANSCRIPT: transcript, RECOGNISED: _recognise(video.sound)})
    except SetupError as error:
        return Voice(problem=str(error))


def find_text(video: Path, real: Path | None) -> Path | None:
    """The file of what is said, beside a video or else beside the real one."""
    places = [path.with_suffix(".txt") for path in (video, real) if path is not None]
    return next((path for path in places if path.is_file()), None)


def read_transcript(text: Path) -> str:
    """What is said, by the rule that transcripts of speech are compared by.

    Raises:
        ValueError: it cannot be compared.
    """
    try:
        content = text.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{text.name}: is no UTF-8 text that can be read") from error
    if doubt := find_doubt(content):
        raise ValueError(f"{text.name}: has {doubt}: write in letters what is said")
    return normalise_text(content)


@functools.lru_cache(maxsize=1)
def _recognise(sound: Path) -> str:
    """Of a file of samples; the real video's are those of its still picture."""
    return read_words(open_judge(), read_samples(sound, 0, sound.stat().st_size // 2))
