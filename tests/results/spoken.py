"""What people say who were made to speak: videos that play, mouths, heads and eyes in them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.numbered import write_wav
from tests.results.people import cut_media, find_real, personalize_longest
from tests.results.setup import Setup, Table, divide
from toolkit.clock import SAMPLE_RATE
from zoo.data import Holdout
from zoo.data.frames import load_render_clips
from zoo.evaluation.figures import draw_mouths
from zoo.evaluation.speaking import (
    Conduct,
    SpokenClip,
    check_video,
    describe_faces,
    ingest_video,
    list_mouths,
    measure_conduct,
)
from zoo.evaluation.tables import judge
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

PERSON = "the person's own"

OFF = 0.2
"""Share by which blinks and heads may be off the person's, and closed mouths in pauses rarer."""

Rows = list[dict[str, Any]]


def run_synthesis(setup: Setup) -> dict[str, Table]:
    """The man of the longest video says what he was not heard saying, and what others said."""
    folder = personalize_longest(setup)
    person = load_person(folder)
    films, seams, datasets = Rows(), Rows(), dict[str, Path]()
    motion = [{"video": PERSON} | describe_faces(person.shards.parent)]
    for name, audio in list_recordings(setup, person).items():
        out = setup.out / "video-spoken" / f"{audio.stem}.mp4"
        out.parent.mkdir(exist_ok=True)
        film = synthesize(SynthesisSettings(audio=audio, person=folder, device="cpu"), out)
        films.append({"speech": name} | check_video(out, audio, film.fps))
        datasets[name] = ingest_video(out, film.fps)
        motion.append({"video": name} | describe_faces(datasets[name]))
        seams += [{"speech": name} | row for row in list_seams(person, audio)]
    conduct = {PERSON: measure_conduct(person.shards.parent)}
    conduct |= {name: measure_conduct(dataset) for name, dataset in datasets.items()}
    target = setup.figures / "results_mouth.png"
    draw_mouths(list_mouths(read_held(setup, person), datasets[OWN], film.fps), film.fps, target)
    caption = "How far the mouth is open while the man says what was held out of his own speech"
    return {
        "synthesis-films": Table(films),
        "synthesis-mouth": Table(figure=target, caption=caption),
        "synthesis-motion": Table(motion),
        "synthesis-conduct": Table(list(list_conduct(conduct))),
        "synthesis-targets": Table(list(judge_conduct(conduct))),
        "synthesis-seams": Table(seams),
    }


def list_recordings(setup: Setup, person: PersonFile) -> dict[str, Path]:
    """Name -> recording: what was held out of the person's video, and others' speech."""
    own = setup.out / "video-speech" / "own.wav"
    own.parent.mkdir(parents=True, exist_ok=True)
    pcm = np.concatenate([part.pcm for part in read_held(setup, person)])
    write_wav(own, pcm / 32768, SAMPLE_RATE)
    return {OWN: own, **{n: cut_media(setup, find_real(*path)) for n, path in OTHERS.items()}}


def read_held(setup: Setup, person: PersonFile) -> list[SpokenClip]:
    """What was held out of a person's video."""
    cut = Holdout(share=setup.holdout, identity=person.identity, gap=2 * HALF_WINDOW)
    clips = load_render_clips(person.shards, identity=person.identity, holdout=cut, held=True)
    return [SpokenClip.of(clip) for clip in clips]


# --- beside the person --------------------------------------------------------------------------


def list_conduct(conduct: Mapping[str, Conduct | None]) -> Iterator[dict[str, Any]]:
    """A row per video with a face, the person's own first."""
    if own := conduct[PERSON]:
        for name, found in conduct.items():
            if found:
                yield {"video": name} | found.describe(own)


def judge_conduct(conduct: Mapping[str, Conduct | None]) -> Iterator[dict[str, Any]]:
    """Whether blinks, heads and resting mouths are near enough to the person's own."""
    rows = list(list_conduct(conduct))
    own = rows[0] if rows else {}
    for row in rows[1:]:
        video = {"video": row["video"]}
        for what in ("blinks a second", "head range, °"):
            off = abs(divide(row[what], own[what]) - 1)
            yield video | judge(f"{what}, as a share off the person's", OFF, off)
        what = "of them with a closed mouth"
        share = divide(row[what], own[what])
        yield video | judge("pauses with a closed mouth, over the person's", 1 - OFF, share,
                            most=False)  # fmt: skip


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
