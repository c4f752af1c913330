"""Sound of a source at 16 kHz mono, and what the manifest says of it."""

import contextlib
import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import ffmpeg
import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE
from toolkit.errors import SourceError, ToolkitError
from toolkit.media.ffmpeg_process import check_exit, compile_command, file_url
from toolkit.media.video import OPEN_OPTIONS, Streams, open_container
from toolkit.schema import Reason
from toolkit.storage import guard_storage

SILENCE_DBFS = -60.0
"""A track whose peak stays under this is silent."""

_MAX_SLIP = 0.02
"""Seconds by which sound may stand beside its timestamp before it is moved there."""

_FLOATS = {"flt", "fltp", "dbl", "dblp"}
"""ffmpeg's sample formats that can hold NaN."""

_VAD_SECONDS = 0.03
_VAD_STRICTNESS = 3  # 0 to 3; at 3 room noise scores 0-0.07 and read speech 0.4-0.95
_MAX_LAG = 0.3


def decode_audio(path: Path, streams: Streams, target: Path) -> int:
    """Write a source's sound to a file: 16 kHz mono int16, sample 0 at the container's start.

    Gaps in the track become silence; several channels are mixed down.

    Returns:
        Number of samples.

    Raises:
        SourceError: `no_audio`, where there is no audio stream or nothing in it decodes.
    """
    if streams.audio is None:
        raise SourceError(Reason.NO_AUDIO, "the file has no audio stream")
    node = ffmpeg.input(file_url(path), threads=1, **OPEN_OPTIONS)[str(streams.audio)]
    node = node.filter("asetpts", f"PTS-({streams.start:.6f})/TB")
    mono = {"ac": 1, "ar": SAMPLE_RATE, "threads": 1}
    decode = compile_command(node, format="nut", acodec="pcm_s16le", **mono)
    size = _copy_output(decode, _placing_command(), target)
    if size < 2:
        raise SourceError(Reason.NO_AUDIO, "the audio stream does not decode")
    return size // 2


def read_sound(path: Path) -> npt.NDArray[np.int16]:
    """All samples of a file of speech: (S,) int16, 16 kHz mono.

    For recordings without a picture; no timestamp is looked at.

    Raises:
        ToolkitError: there is no such file, or no sound in it decodes.
    """
    return np.concatenate(list(_decode_blocks(path)))


@contextlib.contextmanager
def open_sound(path: Path) -> Iterator[npt.NDArray[np.int16]]:
    """The same samples for the length of the block, in a temporary file: an hour is 115 MB.

    Raises:
        ToolkitError: there is no such file, or no sound in it decodes.
        StorageError: the folder for temporary files is full.
    """
    with tempfile.TemporaryFile(prefix="ttk-") as file:
        for block in _decode_blocks(path):
            with guard_storage(Path(tempfile.gettempdir())):
                file.write(block.data)
                file.flush()
        yield np.memmap(file, np.int16, "r")


def _decode_blocks(path: Path) -> Iterator[npt.NDArray[np.int16]]:
    """At least one block, none of them empty."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    num_samples = 0
    try:
        with open_container(path) as container:
            if not container.streams.audio:
                raise ToolkitError(f"{path}: has no sound")
            for frame in itertools.chain(map(_refuse_nan, container.decode(audio=0)), (None,)):
                for resampled in resampler.resample(frame):
                    block: npt.NDArray[np.int16] = resampled.to_ndarray().reshape(-1)  # type: ignore[assignment]
                    num_samples += len(block)
                    if len(block):
                        yield block
    except (av.FFmpegError, ValueError, OSError) as error:
        text = getattr(error, "strerror", None) or error
        raise ToolkitError(f"{path}: no sound can be read: {text}") from error
    if not num_samples:
        raise ToolkitError(f"{path}: no sound can be read: nothing in it decodes")


def _refuse_nan(frame: av.AudioFrame) -> av.AudioFrame:
    """The same; ValueError where float samples are no numbers, which no encoder takes."""
    if frame.format.name in _FLOATS and not np.isfinite(frame.to_ndarray()).all():
        raise ValueError("it has samples that are no numbers (NaN or infinite)")
    return frame


def _placing_command() -> list[str]:
    """Puts decoded sound where its timestamps say, from time 0 on.

    A process of its own, because ffmpeg starts a filter anew, and would place its sound from 0
    on once more, where the channels or the rate change within a stream.
    """
    node = ffmpeg.input("pipe:", format="nut").filter(
        "aresample", **{"async": 1}, min_hard_comp=_MAX_SLIP, first_pts=0
    )
    return compile_command(node, format="s16le", threads=1)


def _copy_output(decode: list[str], place: list[str], target: Path) -> int:
    """Run the pair into a file, ourselves, so that a full disk is our error and not lost."""
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    with (
        target.open("wb") as file,
        subprocess.Popen(decode, stdin=null, stdout=pipe, stderr=null) as decoder,
        subprocess.Popen(place, stdin=decoder.stdout, stdout=pipe, stderr=null) as placer,
    ):
        if decoder.stdout:
            decoder.stdout.close()
        size = 0
        try:
            while block := placer.stdout.read(1 << 18) if placer.stdout else b"":
                size += file.write(block)
        except BaseException:
            decoder.kill()
            placer.kill()
            raise
    check_exit(decoder.returncode)
    check_exit(placer.returncode)
    return size


def read_samples(path: Path, first: int, last: int) -> npt.NDArray[np.int16]:
    """Samples [first, last) of a file that `decode_audio` wrote."""
    return np.fromfile(path, np.dtype("<i2"), count=last - first, offset=2 * first)


def measure_peak(path: Path, first: int = 0, last: int | None = None) -> float:
    """Largest magnitude of samples [first, last), dBFS; −inf for digital silence."""
    last = path.stat().st_size // 2 if last is None else last
    block = 1 << 20
    starts = range(first, last, block)
    peaks = (find_peak(read_samples(path, start, min(start + block, last))) for start in starts)
    return max(peaks, default=float("-inf"))


def find_peak(pcm: npt.NDArray[np.int16]) -> float:
    """Largest magnitude of samples (S,), dBFS; −inf for digital silence."""
    return _decibel(max(int(pcm.max(initial=0)), -int(pcm.min(initial=0))) / 32768)


def measure_loudness(pcm: npt.NDArray[np.int16]) -> float:
    """Root mean square, dBFS, at least −120."""
    return max(-120.0, _decibel(float(np.sqrt(np.mean((pcm / 32768.0) ** 2)))))


def _decibel(amplitude: float) -> float:
    return 20 * float(np.log10(amplitude)) if amplitude > 0 else float("-inf")


def measure_speech_share(pcm: npt.NDArray[np.int16]) -> float:
    """Share of 30 ms steps that WebRTC's voice activity detector calls speech, 0 to 1."""
    import webrtcvad

    detector = webrtcvad.Vad(_VAD_STRICTNESS)
    step = round(_VAD_SECONDS * SAMPLE_RATE)
    num_steps = len(pcm) // step
    data = pcm[: num_steps * step].tobytes()
    found = sum(
        detector.is_speech(data[2 * step * k : 2 * step * (k + 1)], SAMPLE_RATE)
        for k in range(num_steps)
    )
    return found / num_steps if num_steps else 0.0


def measure_agreement(
    opening: npt.NDArray[np.float64], pcm: npt.NDArray[np.int16], fps: int
) -> tuple[float, float | None]:
    """How well the mouth follows the sound: a voice-over or a listener scores low.

    Args:
        opening: (n,) mouth opening per frame, any unit.
        pcm: the clip's samples.
        fps: clock rate.

    Returns:
        Largest correlation of opening and loudness (dB) over lags of ±0.3 s, and the lag (s) at
        which it stands; positive where the picture is late. No lag where the correlation is not
        positive or still rises at the end of the range: there is no peak to speak of.
    """
    loudness = _loudness_per_frame(pcm, len(opening))
    mouth, sound = _detrend(np.asarray(opening, np.float64), fps), _detrend(loudness, fps)
    reach = min(round(_MAX_LAG * fps), len(mouth) // 2)
    lags = range(-reach, reach + 1)
    scores = [_correlate(mouth[max(0, k) :], sound[max(0, -k) :]) for k in lags]
    best = int(np.argmax(scores))
    has_peak = scores[best] > 0 and abs(lags[best]) < reach
    return scores[best], lags[best] / fps if has_peak else None


def _loudness_per_frame(pcm: npt.NDArray[np.int16], num_frames: int) -> npt.NDArray[np.float64]:
    edges = np.arange(num_frames) * len(pcm) // num_frames
    energy = np.add.reduceat((pcm / 32768.0) ** 2, edges) / (len(pcm) / num_frames)
    return np.asarray(10 * np.log10(energy + 1e-6))


def _detrend(values: npt.NDArray[np.float64], fps: int) -> npt.NDArray[np.float64]:
    """Take off the mean over two seconds, so that slow changes of either do not count."""
    width = min(2 * fps + 1, len(values))
    kernel = np.ones(width)
    weight = np.convolve(np.ones(len(values)), kernel, "same")
    return values - np.convolve(values, kernel, "same") / weight


def _correlate(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    length = min(len(a), len(b))
    a, b = a[:length] - a[:length].mean(), b[:length] - b[:length].mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 1e-12 else 0.0
