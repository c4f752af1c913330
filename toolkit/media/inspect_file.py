"""What a player finds in a video file."""

from dataclasses import dataclass
from pathlib import Path

import av


@dataclass(frozen=True, kw_only=True)
class FileContent:
    """Streams and metadata of a video file.

    Attributes:
        num_frames: of the first video stream, decoded and counted.
        picture: codec, pixel format and size.
        sound: codecs of the audio streams, separated by commas.
        comment: of the metadata; "" without one.
    """

    num_frames: int
    picture: str
    sound: str
    comment: str


def inspect_file(path: Path) -> FileContent:
    """Open a video that this project wrote, and count its frames; errors as PyAV's."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        num_frames = sum(1 for _ in container.decode(stream))
        context = stream.codec_context
        return FileContent(
            num_frames=num_frames,
            picture=f"{context.name} {context.pix_fmt} {context.width} × {context.height}",
            sound=", ".join(audio.codec_context.name for audio in container.streams.audio),
            comment=container.metadata.get("comment", ""),
        )
