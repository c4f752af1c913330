"""Films of a person's held-out clips: this build's, what is real, and those of another build.

All go through one encoder at one quality: H.264 at CRF 18, as every build's `zoo reenact` writes
MP4. A folder of films has one of each clip in `crop` and in `source`, `CLIP_ID.mp4`.

`python -m tests.results.films FOLDER` prints the commands by which another build, whose runs are
`FOLDER/IDENTITY/run`, draws its films of what they held out.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.results.judged import Judged, read_frames
from toolkit.ingest.crops import read_stretch
from toolkit.media.encode import write_video
from toolkit.media.video import probe
from toolkit.preview.render import choose_frames
from zoo.data.frames import Picture, RenderClip
from zoo.evaluation.figures import pick, write_sheet
from zoo.evaluation.films import read_film
from zoo.models.renderer import FAMILY
from zoo.speaking.options import ReenactmentSettings
from zoo.speaking.reenact import reenact
from zoo.speaking.scene import find_source
from zoo.training.checkpoint import load_checkpoint
from zoo.training.loop import BEST

COLUMNS, PICTURE = 6, 256
"""Frames of an overview, and their width, px."""

CROP, SOURCE = "crop", "source"
"""What is around the head: nothing but its crop, or the source's picture."""


@dataclass(frozen=True)
class Films:
    """A folder of films.

    Attributes:
        folder: of one person.
    """

    folder: Path

    def place(self, background: str, clip: RenderClip) -> Path:
        """Where a clip's film lies, or is to lie."""
        return self.folder / background / f"{clip.id}.mp4"

    def read(self, background: str, clip: RenderClip) -> Iterator[Picture]:
        """Its pictures; ToolkitError where it has not as many frames as the clip."""
        return read_film(self.place(background, clip), clip.num_frames)

    def has_all(self, clips: Sequence[RenderClip]) -> bool:
        """Whether there are films of all clips; says which one is missing."""
        places = [self.place(name, clip) for clip in clips for name in (CROP, SOURCE)]
        missing = [path for path in places if not path.is_file()]
        if missing:
            print(f"no film {missing[0]}: draw it with zoo reenact", file=sys.stderr)
        return not missing


def draw_films(judged: Judged, folder: Path) -> Films:
    """What `zoo reenact` writes of every clip with held-out frames, by the person's renderer."""
    films = Films(folder)
    for clip in judged.held:
        for background in (CROP, SOURCE):
            target = films.place(background, clip)
            target.parent.mkdir(parents=True, exist_ok=True)
            settings = ReenactmentSettings(
                shards=judged.subject.shards,
                renderer=judged.subject.renderer / BEST,
                background=background,
                device="cpu",
            )
            reenact(clip.id, settings, target)
    return films


def encode_stored(judged: Judged, folder: Path) -> Films:
    """The stored frames and the source's pictures through the same encoder: what that costs."""
    films = Films(folder)
    for clip in judged.held:
        shown = {CROP: read_frames(clip), SOURCE: read_source(judged, clip)}
        for background, pictures in shown.items():
            target = films.place(background, clip)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_video(target, pictures, fps=clip.fps)
    return films


def write_overview(judged: Judged, films: Mapping[str, Films], target: Path) -> None:
    """A sheet of held-out frames of each folder of films, to look at: real people may be on it."""
    clip = max(judged.held, key=lambda c: len(range(c.num_frames)[judged.find_part(c)]))
    part = range(clip.num_frames)[judged.find_part(clip)]
    frames = [part[t] for t in choose_frames(len(part), COLUMNS)]
    rows = {
        f"{name}, {background}": pick(of.read(background, clip), frames)
        for background in (CROP, SOURCE)
        for name, of in films.items()
    }
    write_sheet(rows, target, PICTURE)


def read_source(judged: Judged, clip: RenderClip) -> Iterator[Picture]:
    """The source's whole pictures (H, W, 3) at a clip's frames."""
    path = find_source(clip, judged.subject.shards)
    info, streams = probe(path)
    times = clip.reader.read("video/source_time", clip.index)
    times = times[clip.first : clip.first + clip.num_frames].astype(np.float64)
    return read_stretch(path, times, info, streams)


# --- another build's ----------------------------------------------------------------------------


def list_commands(folder: Path) -> Iterator[str]:
    """Lines for a shell in the other build's checkout, one a film."""
    for checkpoint in sorted(folder.resolve().glob(f"*/run/{BEST}")):
        films = Films(checkpoint.parents[1])
        for clip in load_checkpoint(checkpoint, FAMILY.name)["model"]["held_out"]:
            for background in (CROP, SOURCE):
                target = films.folder / background / f"{clip}.mp4"
                command = [
                    "python", "-m", "zoo", "reenact", clip, "--background", background,
                    "--shards", folder.resolve() / "data" / "shards", "--renderer", checkpoint,
                    "--device", "cpu", "--out", target,
                ]  # fmt: skip
                yield f"mkdir -p {shlex.quote(str(target.parent))}"
                yield shlex.join(map(str, command))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.results.films", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="Of the other build's films.")
    print("\n".join(list_commands(parser.parse_args().folder)))
