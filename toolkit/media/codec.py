"""What lossy coding leaves of speech: MP3 and Opus at low bit rates, encoded and decoded again."""

import io
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE

CODECS = {"mp3": ("libmp3lame", "mp3"), "opus": ("libopus", "ogg")}
"""Name -> ffmpeg's encoder and container."""

BIT_RATES = (8_000, 12_000, 16_000, 24_000, 32_000)
"""Bits a second: telephone calls to web video."""

Pcm = npt.NDArray[np.int16]


def recode(pcm: Pcm, codec: str, bit_rate: int) -> Pcm:
    """(S,) int16 at 16 kHz as they sound after coding, in the same place.

    Args:
        pcm: (S,) int16 at 16 kHz.
        codec: of `CODECS`.
        bit_rate: bits a second.
    """
    decoded = _decode(_encode(pcm, codec, bit_rate))
    return np.pad(decoded[: len(pcm)], (0, max(0, len(pcm) - len(decoded))))


def _encode(pcm: Pcm, codec: str, bit_rate: int) -> io.BytesIO:
    encoder, container = CODECS[codec]
    target = io.BytesIO()
    with av.open(target, "w", format=container) as file:
        stream: Any = file.add_stream(encoder, rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    target.seek(0)
    return target


def _decode(source: io.BytesIO) -> Pcm:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    with av.open(source, "r") as file:
        frames = (*file.decode(audio=0), None)
        blocks = [block.to_ndarray().reshape(-1) for f in frames for block in resampler.resample(f)]
    return np.asarray(np.concatenate(blocks), np.int16)
