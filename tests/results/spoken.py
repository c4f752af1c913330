"""What people say who were made to speak: videos that play, mouths, heads and eyes in them."""

import math
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from tests.numbered import write_wav
from tests.results.people import cut_media, find_real, personalize_longest
from tests.results.setup import Setup, Table
from toolkit.audio import read_sound
from toolkit.clock import SAMPLE_RATE, frame_to_sample
from toolkit.ingest import ingest
from toolkit.manifest import read_table
from toolkit.options import IngestOptions
from zoo.data import Holdout
from zoo.facial.generate import list_starts
from zoo.facial.model import open_model
from zoo.facial.speech import hear_speech
from zoo.metrics.blinks import BlinkClip, measure_blinks
from zoo.metrics.continuity import measure_seams
from zoo.rendering import load_render_clips
from zoo.rendering.windows import HALF_WINDOW
from zoo.video.model import open_renderer
from zoo.video.person_file import PersonFile, load_person
from zoo.video.scene import choose_clip
from zoo.video.settings import SynthesisSettings
from zoo.video.synthesize import generate_at, synthesize

OTHERS = {
    "a reader's": ("speech", "dc_tts_selfrecorded/philippmatthes/LJ001-0092.opus"),
    "FACIAL's sample": ("reference", "facial", "obama2.wav"),
}
"""Speech of other people, from the folder of real data."""

OWN = "the person's own, held out"

Rows = list[dict[str, Any]]


def run_synthesis(setup: Setup) -> dict[str, Table]:
    """The man of the longest video says what he was not heard saying, and what others said."""
    folder = personalize_longest(setup)
    person = load_person(folder)
    films, seams = Rows(), Rows()
    motion = [{"video": "the person's own"} | describe_faces(person.shards.parent)]
    for name, audio in list_recordings(setup, person).items():
        out = setup.out / "video-spoken" / f"{audio.stem}.mp4"
        out.parent.mkdir(exist_ok=True)
        film = synthesize(SynthesisSettings(audio=audio, person=folder, device="cpu"), out)
        films.append({"speech": name} | check_film(out, audio, film.fps))
        motion.append({"video": name} | describe_faces(ingest_film(out, film.fps)))
        seams += [{"speech": name} | row for row in list_seams(person, audio)]
    return {
        "synthesis-films": Table(films),
        "synthesis-motion": Table(motion),
        "synthesis-seams": Table(seams),
    }


def list_recordings(setup: Setup, person: PersonFile) -> dict[str, Path]:
    """Name -> recording: what was held out of the person's video, and others' speech."""
    own = setup.out / "video-spoken" / "own.wav"
    own.parent.mkdir(parents=True, exist_ok=True)
    write_wav(own, read_held(setup, person) / 32768, SAMPLE_RATE)
    return {OWN: own, **{n: cut_media(setup, find_real(*path)) for n, path in OTHERS.items()}}


def read_held(setup: Setup, person: PersonFile) -> Any:
    """Samples (S,) int16 of the held-out part of a person's video."""
    cut = Holdout(share=setup.holdout, identity=person.identity, gap=2 * HALF_WINDOW)
    parts = []
    for clip in load_render_clips(person.shards, identity=person.identity, holdout=cut, held=True):
        start = clip.reader.clips[clip.index].start_frame
        first, *ends = (
            frame_to_sample(start + frame, clip.fps)
            for frame in (0, clip.first, clip.first + clip.num_frames)
        )
        pcm = clip.reader.read("audio/pcm", clip.index)
        parts.append(pcm[slice(*(end - first for end in ends))])
    return np.concatenate(parts)


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


# --- seams --------------------------------------------------------------------------------------


def list_seams(person: PersonFile, audio: Path) -> Rows:
    """How the motion that is drawn moves where windows meet, beside elsewhere."""
    model = open_model(person.motion_model)
    renderer = open_renderer(person.renderer, torch.device("cpu"))
    clips = load_render_clips(person.shards, identity=person.identity)
    scores = hear_speech(audio, model.contract)
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
