"""Synthetic variants A and B: base, fine-tuned to everyone, personal style, long motion."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.results.datasets import make_synthetic
from tests.results.runs import finetune, read_epochs, train_base, train_judges
from tests.results.scoring import ORACLE, REAL, Contest, hold_contest
from tests.results.setup import Setup, Table
from zoo.data import load_clips
from zoo.evaluation.figures import draw_positions
from zoo.evaluation.tables import judge
from zoo.metrics.confusion import plot_confusion
from zoo.metrics.continuity import measure_drift, measure_seams
from zoo.models.facial.model import open_facial_gan
from zoo.motion.generate import list_starts
from zoo.training.loop import BEST

BASE, TUNED, RAISED = "base", "fine-tuned", "raised ω6"

STYLE_TARGETS = {"pose": 0.85, "blink": 0.73}
"""Accuracies that the paper's supplement gives."""

BLINK_TARGET = 0.2
"""Largest relative error of an identity's blink rate and duration."""

LEAST_RATIO = 0.01
RAISED_RATIO = 0.05
"""Share of the adversarial gradient under which ω6 is raised, and to which."""

PAPER_WEIGHT = 0.1


def run_a(setup: Setup) -> dict[str, Table]:
    """Everything about variant A but for the ablations."""
    dataset = make_synthetic(setup, "A")
    base = train_base(setup, "a-base", dataset)
    people = load_clips(dataset, split="train").identities
    tuned = {name: finetune(setup, base, dataset, name) for name in people}
    judges = train_judges(setup, "a-style", dataset)
    contest = hold_contest(dataset, {BASE: base, TUNED: tuned}, judges)
    positions = setup.figures / "results_positions.png"
    draw_positions({n: s.by_position for n, s in contest.scores.items() if n != REAL}, positions)
    styles = setup.figures / "results_styles.png"
    plot_confusion(
        {f"{name}, {style}": found
         for style in STYLE_TARGETS
         for name, found in ((n, contest.confusions[n][style]) for n in (REAL, TUNED))},
        styles,
    )  # fmt: skip
    return {
        "a-scores": Table(contest.tabulate()),
        "a-targets": Table(judge_targets(contest)),
        "a-blinks": Table(contest.tabulate_blinks((BASE, TUNED, "ridge", ORACLE))),
        "a-positions": Table(figure=positions, caption="Expression error along the window"),
        "a-styles": Table(figure=styles, caption="Whose motion it is taken for"),
    }


def run_b(setup: Setup) -> dict[str, Table]:
    """Variant B: what no deterministic model can place."""
    dataset = make_synthetic(setup, "B")
    base = train_base(setup, "b-base", dataset)
    judges = train_judges(setup, "b-style", dataset)
    contest = hold_contest(dataset, {BASE: base}, judges)
    return {
        "b-scores": Table(contest.tabulate()),
        "b-blinks": Table(contest.tabulate_blinks((BASE, "ridge", ORACLE))),
    }


def judge_targets(contest: Contest) -> list[dict[str, Any]]:
    """What was asked of the fine-tuned models, what they reach, and whether that is enough."""
    scores = contest.scores
    tuned, ridge, constant = (scores[name] for name in (TUNED, "ridge", "constant"))
    rows = [
        judge("expression error, sd, under the best constant's",
              constant.expression_error.value, tuned.expression_error.value),
        judge("expression error, sd, under per-frame ridge regression's",
              ridge.expression_error.value, tuned.expression_error.value),
        judge("mouth error, mm, under per-frame ridge regression's",
              ridge.mouth_error.value, tuned.mouth_error.value),
        judge("largest error of an identity's blink rate", BLINK_TARGET,
              _find_worst(tuned.blink_rate)),
        judge("largest error of an identity's blink duration", BLINK_TARGET,
              _find_worst(tuned.blink_duration)),
    ]  # fmt: skip
    rows += [
        judge(f"personalisation by {style}", least, tuned.personalization[style], most=False)
        for style, least in STYLE_TARGETS.items()
    ]
    return rows


def _find_worst(errors: Mapping[str, float | None]) -> float:
    """Greatest size of a relative error; without a blink it is all of it."""
    return max(1.0 if error is None else abs(error) for error in errors.values())


# --- weight of the adversarial term -------------------------------------------------------------


def run_gan_weight(setup: Setup) -> dict[str, Table]:
    """The adversarial gradient's share; where it is small, a second run with more weight."""
    dataset = make_synthetic(setup, "A")
    base = train_base(setup, "a-base", dataset)
    runs, weights = {BASE: base}, {BASE: PAPER_WEIGHT}
    ratio = read_epochs(base, "gradient ratio")[-1]
    if ratio < LEAST_RATIO:
        weights[RAISED] = raise_weight(ratio)
        runs[RAISED] = train_base(setup, "a-raised", dataset, gan_weight=weights[RAISED])
    contest = hold_contest(dataset, runs)
    rows = [_describe_gan(name, weights[name], run) for name, run in runs.items()]
    return {"gan-ratio": Table(rows), "gan-scores": Table(contest.tabulate())}


def raise_weight(ratio: float) -> float:
    """ω6 with which the ratio would have been `RAISED_RATIO`, for it grows as ω6; two digits."""
    return float(f"{PAPER_WEIGHT * RAISED_RATIO / ratio:.1e}")


def _describe_gan(name: str, weight: float, run: Path) -> dict[str, Any]:
    ratios = read_epochs(run, "gradient ratio")
    return {
        "run": name,
        "ω6": weight,
        "gradient ratio, first epoch": f"{ratios[0]:.1e}",
        "gradient ratio, last epoch": f"{ratios[-1]:.1e}",
        "discriminator's loss, last epoch": read_epochs(run, "loss discriminator")[-1],
    }


# --- long motion --------------------------------------------------------------------------------


def run_long(setup: Setup) -> dict[str, Table]:
    """Seams and drift of minutes of motion, by the base model, beside the truth's steps."""
    dataset = make_synthetic(setup, "A")
    model = open_facial_gan(train_base(setup, "a-base", dataset) / BEST)
    clips = load_clips(dataset, split="test")
    identity = clips.identities[0]
    num_frames = round(setup.minutes * 60 * clips.fps)
    heard = np.concatenate([clip.audio for clip in clips])
    audio = np.resize(heard, (num_frames, heard.shape[1]))
    motion = model.generate(audio, identity=identity)
    seams = [start for start in list_starts(num_frames)[1:] if start <= num_frames - 3]
    drift = measure_drift(motion, clips.fps)
    rows = [
        {
            "part": part,
            "velocity at seams": found.velocity,
            "acceleration at seams": found.acceleration,
            "greatest step at a seam": found.peak,
            "shift of the mean": drift[part].shift,
            "range, last minute": drift[part].range_ratio,
        }
        for part, found in measure_seams(motion, seams).items()
    ]
    return {"long": Table(rows)}
