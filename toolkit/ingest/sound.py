"""Which of a source's sound tracks is heard, and what lies beside it that is not."""

import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from toolkit.errors import SourceError
from toolkit.ingest.rejected import check_silence
from toolkit.media.audio import decode_audio
from toolkit.media.video import Streams, probe
from toolkit.schema import Reason, VideoInfo


def extract_sound(path: Path, target: Path, track: int | None) -> tuple[VideoInfo, Streams, int]:
    """Probe a source and write the sound of one track.

    Args:
        path: the source.
        target: file for its samples, as `decode_audio` writes them.
        track: which sound track, from 0; None: the default one, else, where that is empty or
            silent, the first that is not, with a warning.

    Returns:
        What the probe says, the streams chosen, the number of samples.

    Raises:
        SourceError: see `probe`; `no_audio` or `silent`, where no track is better.
    """
    path = path.parent.resolve() / path.name  # as warnings are to name it
    info, streams = probe(path, track)
    try:
        return _decode(path, info, streams, target)
    except SourceError as error:
        if track is not None or error.reason not in (Reason.NO_AUDIO, Reason.SILENT):
            raise
        failure = error
    for other in range(streams.num_sounds):
        info, others = probe(path, other)
        if others.audio == streams.audio:
            continue
        try:
            found = _decode(path, info, others, target)
        except SourceError:
            continue
        warnings.warn(
            f"{path}: its default sound track is empty ({failure}): track {other} is heard, "
            "counted from 0; --audio-track takes another",
            stacklevel=2,
        )
        return found
    raise failure


def _decode(
    path: Path, info: VideoInfo, streams: Streams, target: Path
) -> tuple[VideoInfo, Streams, int]:
    heard = decode_audio(path, streams, target)
    check_silence(target)
    if heard.num_astray:  # the file claims to last as long
        info = replace(info, duration=None)
    return info, streams, heard.num_samples


def warn_of_recordings(sources: Iterable[Path]) -> None:
    """Warn once where WAVs lie beside videos of the same name: only a video's own sound is read."""
    beside = [
        (path, wav)
        for path in sources
        if path.suffix.lower() != ".wav"  # a recording that was given itself
        for wav in (path.with_suffix(".wav"), path.with_suffix(".WAV"))
        if wav.is_file()
    ]
    if beside:
        video, wav = beside[0]
        folder = wav.parent.resolve()
        warnings.warn(
            f"{len(beside)} videos have a recording of the same name beside them, as "
            f"{folder / wav.name}: it is not read, the video's own sound is; to use it, make a "
            f"video with it: ffmpeg -i {video.name} -i {wav.name} -map 0:v -map 1:a -c:v copy "
            f"{video.stem}.mkv",
            stacklevel=2,
        )
