"""What people say who were made to speak: videos that play, mouths, heads and eyes in them."""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
import numpy.typing as npt
import torch

from tests.numbered import write_wav
from tests.results.figures import draw_mouths
from tests.results.people import cut_media, find_real, personalize_longest
from tests.results.setup import Setup, Table
from toolkit.clock import SAMPLE_RATE, count_samples
from toolkit.dataset.manifest import read_table
from toolkit.dataset.rows import measure_opening_ratio
from toolkit.ingest import ingest
from toolkit.ingest.options import IngestOptions
from toolkit.media.audio import read_sound
from toolkit.preview.traces import measure_level
from zoo.data import Holdout
from zoo.data.frames import RenderClip, load_render_clips
from zoo.metrics.blinks import BlinkClip, measure_blinks
from zoo.metrics.continuity import measure_seams
from zoo.models.facial.model import open_facial_gan
from zoo.models.renderer.model import open_renderer
from zoo.models.renderer.windows import HALF_WINDOW
from zoo.motion.generate import list_starts
from zoo.motion.speech import predict_scores
from zoo.speaking.options import SynthesisSettings
from zoo.speaking.person_file import PersonFile, load_person
from zoo.speaking.scene import choose_clip
from zoo.speaking.synthesize import generate_at, synthesize

OTHERS = {
    "a reader's": ("speech", "dc_tts_selfrecorded/philippmatthes/LJ001-0092.opus"),
    "FACIAL's sample": ("reference", "facial", "obama2.wav"),
}
"""Speech of other people, from the folder of real data."""

OWN = "the person's own, held out"

Rows = list[dict[str, Any]]
Floats = npt.NDArray[np.float64]


def run_synthesis(setup: Setup) -> dict[str, Table]:
    """The man of the longest video says what he was not heard saying, and what others said."""
    folder = personalize_longest(setup)
    person = load_person(folder)
    films, seams, datasets = Rows(), Rows(), dict[str, Path]()
    motion = [{"video": "the person's own"} | describe_faces(person.shards.parent)]
    for name, audio in list_recordings(setup, person).items():
        out = setup.out / "video-spoken" / f"{audio.stem}.mp4"
        out.parent.mkdir(exist_ok=True)
        film = synthesize(SynthesisSettings(audio=audio, person=folder, device="cpu"), out)
        films.append({"speech": name} | check_film(out, audio, film.fps))
        datasets[name] = ingest_film(out, film.fps)
        motion.append({"video": name} | describe_faces(datasets[name]))
        seams += [{"speech": name} | row for row in list_seams(person, audio)]
    target = setup.figures / "results_mouth.png"
    draw_mouths(list_mouths(read_held(setup, person), datasets[OWN], film.fps), film.fps, target)
    caption = "How far the mouth is open while the man says what was held out of his own speech"
    return {
        "synthesis-films": Table(films),
        "synthesis-mouth": Table(figure=target, caption=caption),
        "synthesis-motion": Table(motion),
        "synthesis-seams": Table(seams),
    }


def list_recordings(setup: Setup, person: PersonFile) -> dict[str, Path]:
    """Name -> recording: what was held out of the person's video, and others' speech."""
    own = setup.out / "video-spoken" / "own.wav"
    own.parent.mkdir(parents=True, exist_ok=True)
    pcm = np.concatenate([part.pcm for part in read_held(setup, person)])
    write_wav(own, pcm / 32768, SAMPLE_RATE)
    return {OWN: own, **{n: cut_media(setup, find_real(*path)) for n, path in OTHERS.items()}}


@dataclass(frozen=True, eq=False)
class Heard:
    """A stretch of a stored clip, n frames.

    Attributes:
        pcm: (S,) int16, 16 kHz.
        opening: (n,) of the mouth, over the distance of the eyes.
    """

    pcm: npt.NDArray[np.int16]
    opening: Floats

    @classmethod
    def of(cls, clip: RenderClip) -> Self:
        """Sound and mouth of a clip, or of what a holdout left of it."""
        start, last = clip.reader.clips[clip.index].start_frame, clip.first + clip.num_frames
        samples = slice(
            count_samples(start, clip.first, clip.fps), count_samples(start, last, clip.fps)
        )
        meshes = clip.reader.read("face/landmarks", clip.index)[clip.first : last]
        return cls(
            pcm=clip.reader.read("audio/pcm", clip.index)[samples],
            opening=measure_opening_ratio(meshes),
        )


def read_held(setup: Setup, person: PersonFile) -> list[Heard]:
    """What was held out of a person's video."""
    cut = Holdout(share=setup.holdout, identity=person.identity, gap=2 * HALF_WINDOW)
    clips = load_render_clips(person.shards, identity=person.identity, holdout=cut, held=True)
    return [Heard.of(clip) for clip in clips]


# --- the file -----------------------------------------------------------------------------------


def check_film(path: Path, audio: Path, fps: int) -> dict[str, Any]:
    """What a player finds in a video, and whether it is as long as the recording."""
    num_samples = len(read_sound(audio))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        found = sum(1 for _ in container.decode(stream))
        context = stream.codec_context
        return {
            "seconds of speech": num_samples / SAMPLE_RATE,
            "frames asked for": num_samples * fps // SAMPLE_RATE,
            "frames": found,
            "picture": f"{context.name} {context.pix_fmt} {context.width} × {context.height}",
            "sound": ", ".join(s.codec_context.name for s in container.streams.audio),
            "note": container.metadata.get("comment", "").partition(":")[0],
        }


# --- faces in it --------------------------------------------------------------------------------


def ingest_film(path: Path, fps: int) -> Path:
    """The dataset that `ttk ingest` makes of a video, made anew."""
    out = path.with_suffix("")
    shutil.rmtree(out, ignore_errors=True)
    ingest(path, IngestOptions(fps=fps, identity="stem"), out=out, workers=1)
    return out


def describe_faces(dataset: Path) -> dict[str, Any]:
    """What the toolkit measures in the one video of a dataset: mouth, head, eyes."""
    table = read_table(dataset, "clips")
    row: dict[str, Any] = {
        "seconds with a face": float(table["duration"].sum()),
        "mouth and loudness, r": math.nan,
        "picture late by, s": math.nan,
        "pitch, sd °": math.nan,
        "yaw, sd °": math.nan,
        "roll, sd °": math.nan,
        "blinks a second": math.nan,
        "seconds a blink": math.nan,
    }
    if table.empty:
        return row
    clips = load_render_clips(dataset, identity=str(table["identity"].iloc[0]))
    turns = np.concatenate([clip.pose[:, :3] - clip.pose[:, :3].mean(axis=0) for clip in clips])
    lids = measure_blinks((BlinkClip("", c.au45, c.valid) for c in clips), clips[0].fps)[""]
    weight = table["num_frames"] / table["num_frames"].sum()
    return row | {
        "mouth and loudness, r": float((table["mouth_audio_corr"] * weight).sum()),
        "picture late by, s": float(table["mouth_audio_lag"].median()),
        **{
            f"{name}, sd °": float(np.degrees(turns[:, k].std()))
            for k, name in enumerate(("pitch", "yaw", "roll"))
        },
        "blinks a second": lids.rate or 0.0,
        "seconds a blink": math.nan if lids.duration is None else lids.duration,
    }


def list_mouths(held: Sequence[Heard], film: Path, fps: int) -> dict[str, Floats]:
    """Level of held-out speech, and the mouth then: in the person's video, in the film.

    Args:
        held: what was held out.
        film: dataset of the film made of its sound.
        fps: frames a second.
    """
    pcm = np.concatenate([part.pcm for part in held])
    num_frames = len(pcm) * fps // SAMPLE_RATE
    drawn = np.full(num_frames, np.nan)
    identities = read_table(film, "clips")["identity"].unique()
    for clip in (c for name in identities for c in load_render_clips(film, identity=str(name))):
        start = clip.reader.clips[clip.index].start_frame
        drawn[start : start + clip.num_frames] = Heard.of(clip).opening[: num_frames - start]
    return {
        "level of the speech, dBFS": measure_level(pcm, (np.arange(num_frames) + 0.5) / fps),
        "his mouth in his own video": np.concatenate([part.opening for part in held])[:num_frames],
        "his mouth in the film": drawn,
    }


# --- seams --------------------------------------------------------------------------------------


def list_seams(person: PersonFile, audio: Path) -> Rows:
    """How the motion that is drawn moves where windows meet, beside elsewhere."""
    model = open_facial_gan(person.motion_model)
    renderer = open_renderer(person.renderer, torch.device("cpu"))
    clips = load_render_clips(person.shards, identity=person.identity)
    scores = predict_scores(audio, model.contract)
    motion = generate_at(model, scores, choose_clip(clips, renderer.trained_on))
    seams = [start for start in list_starts(len(motion))[1:] if start <= len(motion) - 3]
    return [
        {
            "seams": len(seams),
            "part": part,
            "velocity at seams": found.velocity,
            "acceleration at seams": found.acceleration,
            "greatest step at a seam": found.peak,
        }
        for part, found in (measure_seams(motion, seams) if seams else {}).items()
    ]
