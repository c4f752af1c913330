"""Self-reenactment of real clips, on frames that no training saw: from motion, and from sound."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.results.judged import Judged
from tests.results.people import Subject, find_longest, personalize_longest, train_short
from tests.results.setup import Setup, Table
from zoo.data import AU45, EXPRESSION, MOTION_SIZE, POSE, load_clips
from zoo.data.frames import Picture, RenderClip
from zoo.evaluation.figures import draw_errors
from zoo.evaluation.lids import score_blinks
from zoo.evaluation.tables import judge
from zoo.evaluation.videos import Shown, look_at, score_landmarks, score_shown
from zoo.models.facial.model import open_facial_gan
from zoo.models.renderer import FAMILY
from zoo.motion.generate import Motion
from zoo.motion.model import MotionModel
from zoo.speaking.person_file import load_person
from zoo.speaking.reenact import draw_clip
from zoo.speaking.scene import choose_clip
from zoo.speaking.synthesize import draw_motion, generate_at
from zoo.training.checkpoint import load_checkpoint
from zoo.training.loop import LAST
from zoo.training.stages import StageLog

STORED, DRAWN, NEAREST = "stored frames", "renderer", "nearest training frame"

MORE_PSNR = 2.0
"""dB over the nearest training frame that are asked of a renderer."""

MINUTES = 45.0
"""The most that the training may take, on two cores."""

MOUTH_SHARE = 0.5
"""Of the nearest training frame's mouth landmark distance, the most that is asked."""

Rows = list[dict[str, Any]]

Draw = Callable[[RenderClip], Iterator[Picture]]


def run_reenactment(setup: Setup) -> dict[str, Table]:
    """Held-out frames of two real clips, by the renderer and by the nearest training frame."""
    runs, scores, targets = Rows(), Rows(), Rows()
    errors = dict[str, npt.NDArray[np.float64]]()
    for subject in (find_longest(setup), train_short(setup)):
        judged = Judged.of(subject)
        shown = compare(judged)
        rows = {name: score_all(judged, of) for name, of in shown.items()}
        scores += [{"identity": subject.identity, "shown": n} | row for n, row in rows.items()]
        run = describe_run(subject)
        runs.append(run)
        asked = [judge_minutes(run), *judge_rows(rows)]
        targets += [{"identity": subject.identity} | row for row in asked]
        errors |= {
            f"{subject.identity}\n{name}": np.mean([s.error for s in shown[name]], axis=0)
            for name in (DRAWN, NEAREST)
        }
    target = setup.figures / "results_reenactment_errors.png"
    draw_errors(errors, target)
    return {
        "reenactment-runs": Table(runs),
        "reenactment-scores": Table(scores),
        "reenactment-targets": Table(targets),
        "reenactment-errors": Table(
            figure=target, caption="Mean absolute error of held-out frames, place by place"
        ),
    }


def compare(judged: Judged) -> dict[str, list[Shown]]:
    """Held-out frames as they are stored, as the renderer and as the nearest frames show them."""
    return {
        STORED: judged.reference,
        DRAWN: show_all(judged, lambda clip: draw_clip(judged.renderer, clip)),
        NEAREST: [judged.show_nearest(clip) for clip in judged.held],
    }


def show_all(judged: Judged, draw: Draw) -> list[Shown]:
    """What a method draws of every clip with held-out frames, from its first frame on."""
    return [look_at(draw(clip), clip, judged.find_part(clip)) for clip in judged.held]


def describe_run(subject: Subject) -> dict[str, Any]:
    """How a renderer was trained."""
    content = load_checkpoint(subject.renderer / LAST, FAMILY.name)
    (stage,) = (row for row in StageLog(subject.stages).tabulate() if row["stage"] == "renderer")
    counts = {
        name: sum(last - first for first, last in content["model"][name].values())
        for name in ("trained_on", "held_out")
    }
    return {
        "identity": subject.identity,
        "frames trained on": counts["trained_on"],
        "held out": counts["held_out"],
        "epochs": content["epoch"],
        "steps": content["total_steps"],
        **{name: stage[name] for name in ("minutes", "threads", "starts")},
        "perceptual term by": content["model"]["perceptual"]["name"],
        "best epoch": content["best"]["epoch"] + 1,
    }


# --- scores -------------------------------------------------------------------------------------


def score_all(judged: Judged, shown: Sequence[Shown]) -> dict[str, Any]:
    """A method's figures over the held-out frames of all clips, in their order."""
    lids = [
        (judged.measure_lids(s.meshes)[s.part], clip.au45[judged.find_part(clip)])
        for s, clip in zip(shown, judged.held, strict=True)
    ]
    return score_shown(shown, judged.reference) | score_blinks(lids, judged.fps)


def judge_minutes(run: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a training was short enough; unknown for one that was killed and resumed."""
    minutes = run["minutes"] if run["starts"] == 1 else math.nan
    return judge(f"minutes of training, {run['threads']} threads", MINUTES, minutes)


def judge_rows(rows: Mapping[str, Mapping[str, Any]]) -> Rows:
    """What is asked of a renderer beside the nearest training frame, and whether it does it."""
    drawn, nearest = rows[DRAWN], rows[NEAREST]
    return [
        judge(
            "PSNR over the nearest training frame's, dB",
            MORE_PSNR,
            drawn["PSNR, dB"] - nearest["PSNR, dB"],
            most=False,
        ),
        judge(
            "mouth landmark distance over the nearest training frame's",
            MOUTH_SHARE,
            drawn["mouth, px"] / nearest["mouth, px"],
        ),
    ]


# --- from sound ---------------------------------------------------------------------------------


def run_audio_reenactment(setup: Setup) -> dict[str, Table]:
    """Held-out frames of the longest video, moved by their own sound."""
    subject, person = find_longest(setup), load_person(personalize_longest(setup))
    judged, model = Judged.of(subject), open_facial_gan(person.motion_model)
    rest = choose_clip(judged.clips, judged.renderer.trained_on)
    mean = average_motion(rest)
    methods: dict[str, Draw] = {
        "its sound": lambda clip: _draw(judged, clip, hear_clip(judged, model, clip, rest)),
        "mean motion": lambda clip: _draw(judged, clip, np.tile(mean, (clip.num_frames, 1))),
        "its own motion": lambda clip: draw_clip(judged.renderer, clip),
    }
    shown = {name: show_all(judged, draw) for name, draw in methods.items()}
    rows = [
        {"moved by": name} | score_landmarks(of, judged.reference) for name, of in shown.items()
    ]
    return {"audio-reenactment": Table(rows)}


def _draw(judged: Judged, clip: RenderClip, motion: Motion) -> Iterator[Picture]:
    return draw_motion(judged.renderer, clip, motion)


def hear_clip(judged: Judged, model: MotionModel, clip: RenderClip, rest: RenderClip) -> Motion:
    """Motion (n, 71) of a clip's own sound, about the mean pose of `rest`.

    As `zoo reenact --motion-model`, but for the mean pose: the clip's own is not to be known.
    """
    where = f"clip_id == {clip.id!r}"
    (heard,) = load_clips(judged.subject.shards, split=None, where=where, min_frames=1).clips
    return generate_at(model, heard.audio, rest)


def average_motion(clip: RenderClip) -> Motion:
    """(71,) mean motion of a clip."""
    mean = np.zeros(MOTION_SIZE, np.float32)
    for part, values in (
        (EXPRESSION, clip.expression),
        (POSE, clip.pose),
        (AU45, clip.au45[:, None]),
    ):
        mean[part] = values.mean(axis=0)
    return mean
