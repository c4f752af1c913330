"""What is said in a measured video, and what a judge reads from its sound.

What is said lies in NAME.txt beside the video, or else beside the real one. It belongs to the whole
video, so the whole sound is judged, whatever part of it stands beside real frames.
"""

import functools
from collections.abc import Sequence
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
    return Provenance(backend="Whisper", version=version, weights_sha256=SHA256)


def listen(
    metrics: Sequence[Metric], video: "TrackedVideo", real: "TrackedVideo | None"
) -> tuple[dict[str, str], str]:
    """What is said in a video, and what the judge reads, both in a–z, apostrophe and single spaces.

    Returns:
        `transcript` and `recognised`, and ""; or nothing and why: no metric asks for them, or one
        of the two cannot be had. The judge is loaded where both can.
    """
    if not any(RECOGNISED in metric.needs for metric in metrics):
        return {}, ""
    try:
        transcript = read_transcript(video.path, None if real is None else real.path)
        if video.sound is None:
            return {}, f"the video has no sound: {video.silence}"
        return {TRANSCRIPT: transcript, RECOGNISED: _recognise(video.sound)}, ""
    except (ValueError, SetupError) as error:
        return {}, str(error)


def read_transcript(video: Path, real: Path | None) -> str:
    """What is said in a video, by the rule that transcripts of speech are compared by.

    Raises:
        ValueError: there is no text, or it cannot be compared.
    """
    places = [path.with_suffix(".txt") for path in (video, real) if path is not None]
    text = next((path for path in places if path.is_file()), None)
    if text is None:
        raise ValueError("needs what is said, as NAME.txt beside the video or the real one")
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
