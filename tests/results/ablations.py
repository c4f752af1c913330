"""Fig. 8's ablations on synthetic variant A: without G_loc, without G_tem, without the GAN."""

from typing import Any

from tests.results.datasets import make_synthetic
from tests.results.runs import train_base
from tests.results.scoring import ORACLE, REAL, hold_contest
from tests.results.setup import Setup, Table
from zoo.evaluation.figures import draw_traces

FULL = "full"
CHANGES: dict[str, dict[str, Any]] = {
    "without G_loc": {"without": "local"},
    "without G_tem": {"without": "temporal"},
    "without the GAN": {"gan_weight": 0.0},
}
TRACE_SECONDS = 10


def run_ablations(setup: Setup) -> dict[str, Table]:
    """Scores of each, and trace maps of the head of the most lively test clip."""
    dataset = make_synthetic(setup, "A")
    runs = {FULL: train_base(setup, "a-base", dataset)}
    for name, changes in CHANGES.items():
        folder = "a-" + name.lower().replace(" ", "-")
        runs[name] = train_base(setup, folder, dataset, **changes)
    contest = hold_contest(dataset, runs)
    clip = max(contest.clips, key=lambda clip: float(clip.motion[:, 64:67].std()))
    shown = (REAL, *runs)
    target = setup.figures / "results_traces.png"
    num_frames = TRACE_SECONDS * contest.clips.fps
    draw_traces({name: contest.methods[name](clip)[:num_frames] for name in shown}, target)
    return {
        "ablation-scores": Table(contest.tabulate()),
        "ablation-blinks": Table(contest.tabulate_blinks((*runs, ORACLE))),
        "ablation-traces": Table(
            figure=target, caption=f"Trace maps of {TRACE_SECONDS} s of one test clip"
        ),
    }
