"""Videos for the tests of ingest: short talking heads, and files that cannot become clips."""

import re
import subprocess
from pathlib import Path

from toolkit.media.ffmpeg_process import find_ffmpeg
from toolkit.sample import SampleOptions, make_samples

SECONDS = 1.5
"""Length of a good video: 45 frames."""


def make_videos(folder: Path) -> None:
    """Four good videos, in the folders of two people."""
    options = SampleOptions(identities=1, clips=4, seconds=SECONDS, size=256, seed=7, workers=1)
    make_samples(folder, options)
    (folder / "truth.json").unlink()
    (folder / "person01").mkdir()
    for name in ("clip02.mp4", "clip03.mp4"):
        (folder / "person00" / name).rename(folder / "person01" / name)


def make_bad_files(folder: Path, good: Path) -> dict[str, str]:
    """One file of every kind that is turned down; returns name -> reason."""
    folder.mkdir()
    content = good.read_bytes()
    (folder / "zero_bytes.mp4").touch()
    (folder / "text.mp4").write_text("this is no video\n" * 100)
    (folder / "noise.mkv").write_bytes(bytes(range(256)) * 64)
    (folder / "playlist.mp4").write_text(f"#EXTM3U\n#EXTINF:2,\n{good}\n")
    (folder / "concat.avi").write_text(f"ffconcat version 1.0\nfile '{good}'\n")
    run_ffmpeg("-i", good, "-c", "copy", "-movflags", "0", folder / "whole.mp4")
    whole = (folder / "whole.mp4").read_bytes()
    (folder / "whole.mp4").unlink()
    (folder / "truncated.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    (folder / "cut_short.mp4").write_bytes(content[: len(content) // 2])
    run_ffmpeg("-i", good, "-c", "copy", "-an", folder / "no_sound.mp4")
    run_ffmpeg("-i", good, "-c", "copy", "-vn", folder / "no_picture.mp4")
    quiet = ("-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono")
    run_ffmpeg("-i", good, *quiet, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-shortest",
               folder / "silent.mp4")  # fmt: skip
    run_ffmpeg("-f", "lavfi", "-i", "testsrc=s=192x144:r=30:d=1.5", "-f", "lavfi",
               "-i", "sine=d=1.5", folder / "no_face.mp4")  # fmt: skip
    run_ffmpeg("-i", good, "-vf", "trim=end_frame=1", folder / "one_frame.mp4")
    run_ffmpeg("-i", good, "-vf", "hflip,vflip", "-c:a", "copy", folder / "upside_down.mp4")
    (folder / "copy.mp4").write_bytes(content)
    return {
        "zero_bytes.mp4": "unreadable",
        "text.mp4": "unreadable",
        "noise.mkv": "unreadable",
        "playlist.mp4": "unreadable",
        "concat.avi": "unreadable",
        "truncated.mp4": "unreadable",
        "cut_short.mp4": "unreadable",
        "no_sound.mp4": "no_audio",
        "no_picture.mp4": "no_video",
        "silent.mp4": "silent",
        "no_face.mp4": "no_face",
        "one_frame.mp4": "too_short",
        "upside_down.mp4": "turned",
        "copy.mp4": "duplicate",
    }


def vary(content: bytes, number: int) -> bytes:
    """An MP4 that shows and sounds the same, with other packets: the AAC encoder's mark differs."""
    varied, count = re.subn(rb"\xdc\x00(Lavc|\d{4})", b"\xdc\x00%04d" % number, content, count=1)
    assert count == 1, "no AAC that ffmpeg has encoded"
    return varied


def run_ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg; an error of it fails the test."""
    command = [find_ffmpeg(), "-nostdin", "-y", "-loglevel", "error", *map(str, arguments)]
    subprocess.run(command, check=True)
