"""How many copies of recordings are found, and how many different recordings are joined.

Each recording is copied in ways that keep what is said and shown; all are ingested together.
"""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.accuracy.real import SENTENCES, choose_evenly
from toolkit.dataset.copies import find_copies
from toolkit.dataset.manifest import read_table
from toolkit.dataset.shard import ShardReader
from toolkit.features.fingerprint import SMALL_SIZE, fingerprint_clip
from toolkit.ingest import ingest
from toolkit.ingest.options import IngestOptions
from toolkit.media.ffmpeg_process import find_ffmpeg
from toolkit.media.video import probe, read_duration
from zoo.evaluation.tables import Rows

RECORDINGS = (
    "_derived/vidtimit_fadg0/sa1.mp4",
    "_derived/vidtimit_fadg0/sa2.mp4",
    "_derived/vidtimit_fadg0/si1279.mp4",
    "_derived/vidtimit_fadg0/si1909.mp4",
    "_derived/vidtimit_fadg0/sx19.mp4",
    "OpenTalker_SadTalker/examples/ref_video/WDA_KatieHill_000.mp4",
    "OpenTalker_video-retalking/examples/face/2.mp4",
    "OpenTalker_video-retalking/examples/face/5.mp4",
    "hieubkvn123_face_recognition/videos/obama.mp4",
)
"""Of 3 to 8 s, all different, five of them of one woman in one room."""

NUM_SENTENCES = 5
"""Of one man in one room, beside them."""

IN_ONE_ROOM = {
    "one man (GRID's s1)": SENTENCES,
    "one woman (VidTIMIT's fadg0)": "_derived/vidtimit_fadg0",
}
"""Folders of different recordings that must not be taken for copies."""

_H264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
_CRF = (*_H264, "-crf", "20")
_AAC = ("-c:a", "aac", "-b:a", "96k")


@dataclass(frozen=True)
class Change:
    """A way to copy: ffmpeg's arguments, and the container's suffix."""

    name: str
    arguments: tuple[str, ...]
    suffix: str = ".mp4"

    @property
    def folder(self) -> str:
        """Where such copies lie."""
        return self.name.replace(" ", "_").replace("%", "percent").replace(",", "")


CHANGES = (
    Change("low bit rate", (*_H264, "-crf", "38", "-c:a", "aac", "-b:a", "32k")),
    Change("middle 60 %", (*_CRF, *_AAC)),
    Change("half the size", ("-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2", *_CRF, *_AAC)),
    Change("border", ("-vf", "pad=ceil(iw*0.6)*2:ceil(ih*0.6)*2:-1:-1:black", *_CRF, *_AAC)),
    Change("other rate and container", ("-c:v", "mpeg4", "-q:v", "5", "-c:a", "libmp3lame"),
           ".avi"),
    Change("brighter", ("-vf", "eq=brightness=0.08:contrast=1.15", *_CRF, *_AAC)),
    Change("quieter, low-rate sound", ("-c:v", "copy", "-af", "volume=-8dB", "-c:a", "libopus",
                                       "-b:a", "16k"), ".mkv"),
    Change("mirrored", ("-vf", "hflip", *_CRF, *_AAC)),
    Change("other sound", _CRF),
    Change("mirrored, other sound", ("-vf", "hflip", *_CRF)),
)  # fmt: skip


def write_copies(recordings: Sequence[Path], out: Path) -> None:
    """Every recording as `out/original/N.mkv` and each changed copy as `out/CHANGE/N.*`."""
    for number, path in enumerate(recordings):
        name = f"{number:02d}"
        original = out / "original" / f"{name}.mkv"
        _run(path, original, ("-c", "copy"))
        seconds, fps = _measure(original)
        for change in CHANGES:
            arguments = change.arguments
            before: tuple[str, ...] = ()
            if "middle" in change.name:
                before = ("-ss", f"{0.2 * seconds:.3f}", "-t", f"{0.6 * seconds:.3f}")
            if "rate and" in change.name:
                arguments = ("-r", "25" if abs(fps - 30) < 1 else "30", *arguments)
            if "other sound" in change.name:
                noise = f"anoisesrc=color=pink:amplitude=0.2:seed={number}:sample_rate=16000"
                arguments = (
                    "-f", "lavfi", "-i", noise, "-map", "0:v:0", "-map", "1:a", "-shortest",
                    *arguments, *_AAC,
                )  # fmt: skip
            _run(original, out / change.folder / f"{name}{change.suffix}", arguments, before)


def _measure(path: Path) -> tuple[float, float]:
    return read_duration(path), probe(path)[0].fps


def _run(path: Path, out: Path, arguments: Sequence[str], before: Sequence[str] = ()) -> None:
    if out.is_file():
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [find_ffmpeg(), "-nostdin", "-loglevel", "error", "-y", *before, "-i", f"file:{path}"]
    temporary = out.with_name(f"part-{out.name}")
    subprocess.run([*command, *arguments, f"file:{temporary}"], check=True)
    temporary.rename(out)


def list_tables(folder: Path, out: Path, workers: int) -> dict[str, Callable[[], Rows]]:
    """Name of each table -> what measures it."""

    def of_copies() -> Rows:
        sentences = sorted((folder / SENTENCES).glob("*.mkv"))
        recordings = [folder / name for name in RECORDINGS]
        write_copies([*recordings, *choose_evenly(sentences, NUM_SENTENCES)], out / "videos")
        return measure_recall(_ingest(out / "videos", out / "copies", workers))

    def of_others() -> Rows:
        return [
            {"of": name} | measure_joins(_ingest(folder / place, out / Path(place).name, workers))
            for name, place in IN_ONE_ROOM.items()
        ]

    return {"copies": of_copies, "copies-joined": of_others}


def _ingest(videos: Path, out: Path, workers: int) -> Path:
    """Pictures, meshes and sound alone."""
    options = IngestOptions(
        min_frames=27, identity="stem", deepspeech="none", pose="none", au45="none",
        coefficients="none",
    )  # fmt: skip
    ingest(videos, options, out=out, workers=workers)
    return out


@dataclass(frozen=True, eq=False)
class Print:
    """A source's path, length (s) and fingerprint."""

    source: Path
    seconds: float
    numbers: npt.NDArray[np.int64]


def read_prints(dataset: Path) -> list[Print]:
    """Fingerprints of all clips, from sound, mesh and JPEGs of the shards: older ones hold none."""
    import simplejpeg

    found, readers = [], dict[str, ShardReader]()
    for row in read_table(dataset, "clips").itertuples():
        reader = readers.setdefault(row.shard, ShardReader(dataset / row.shard))
        clip = reader.clips[row.index]
        small = np.stack(
            [
                simplejpeg.decode_jpeg(
                    reader.jpeg(clip.first_frame + t), "GRAY",
                    min_height=SMALL_SIZE, min_width=SMALL_SIZE,
                )[..., 0]
                for t in range(clip.num_frames)
            ]
        )  # fmt: skip
        landmarks = reader.read("face/landmarks", row.index) * (SMALL_SIZE / reader.frame_size)
        pcm = reader.read("audio/pcm", row.index)
        numbers = fingerprint_clip(pcm, small, landmarks, reader.fps)
        found.append(Print(Path(row.source), row.duration, numbers))
    return found


def measure_recall(dataset: Path) -> Rows:
    """For each change, how many copies are found beside their recording, and by what."""
    prints = read_prints(dataset)
    originals = {each.source.stem: each for each in prints if each.source.parent.name == "original"}
    rows = []
    for change in CHANGES:
        copies = [each for each in prints if each.source.parent.name == change.folder]
        why = [_compare(originals[each.source.stem], each) for each in copies]
        rows.append(
            {
                "copy": change.name,
                "copies": len(copies),
                "found": sum(bool(each) for each in why),
                "by sound": sum("sound" in each for each in why),
                "by picture": sum("picture" in each for each in why),
            }
        )
    return rows


def _compare(one: Print, other: Print) -> str:
    """What agrees; "" where they are not found to be copies."""
    offsets = np.array([0, len(one.numbers), len(one.numbers) + len(other.numbers)])
    found = find_copies(np.concatenate([one.numbers, other.numbers]), offsets, np.arange(2))
    return found[0].why if found else ""


def measure_joins(dataset: Path) -> dict[str, object]:
    """How many pairs of different recordings are taken for copies."""
    prints = read_prints(dataset)
    offsets = np.concatenate([[0], np.cumsum([len(each.numbers) for each in prints])])
    numbers = np.concatenate([each.numbers for each in prints])
    sources = [str(each.source) for each in prints]
    codes = np.unique(sources, return_inverse=True)[1].astype(np.int64)
    found = find_copies(numbers, offsets, codes)
    return {
        "recordings": codes.max() + 1,
        "minutes": f"{sum(each.seconds for each in prints) / 60:.1f}",
        "pairs": codes.max() * (codes.max() + 1) // 2,
        "joined": len({(codes[pair.first], codes[pair.second]) for pair in found}),
    }
