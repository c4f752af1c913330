"""Speech to motion on the command line: generate, evaluate."""

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import click

from toolkit.cli.bar import Bar
from toolkit.cli.base import Command, json_option, options_from, print_json, say_next
from toolkit.dataset.options import PARTS
from zoo.speaking.options import GenerationSettings
from zoo.training.options import DEVICE_HELP, DEVICES


@click.command(
    "generate",
    cls=Command,
    example="zoo generate --model runs/NAME/best.pt --audio speech.wav --out motion.npz",
)
@options_from(GenerationSettings)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The motion, .npz.")
def generate(out: Path, **options: Any) -> None:
    """Make motion for a recording: expression, head pose and blinks of every frame."""
    settings = GenerationSettings(**options)
    from zoo.speaking.generate import generate as make_motion

    num_frames, fps = make_motion(settings, out)
    click.echo(f"{out}: {num_frames} frames, {num_frames / fps:.2f} s")
    if audio := settings.audio:
        words = ["zoo", "show", out, "--audio", audio, "--out", out.with_suffix(".mp4")]
        say_next(shlex.join(map(str, words)))


@click.command(
    "show",
    cls=Command,
    example="zoo show motion.npz --audio speech.wav --out motion.mp4",
)
@click.argument("motion", type=click.Path(path_type=Path))
@click.option(
    "--audio", type=click.Path(path_type=Path), help="The recording that the motion was made for."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The video: .mp4, .mov, .mkv or .webm.",
)
def show(motion: Path, audio: Path | None, out: Path) -> None:
    """Draw a MOTION file as a video: the mesh of the mean face, AU45 and head pose over time.

    A motion file holds no sound: give the recording with --audio to hear it.
    """
    from zoo.motion.preview import show_motion

    with Bar("show", "frames") as bar:
        num_frames = show_motion(motion, out, audio=audio, watch=bar.watch)
    click.echo(f"{out}: {num_frames} frames{'' if audio else ', without sound'}")


@click.command(
    "motion",
    cls=Command,
    example="zoo evaluate motion --model runs/facial/best.pt --shards shards/ --split test",
)
@click.option(
    "--model",
    required=True,
    help="A checkpoint; {identity} in it stands for each clip's, as runs/{identity}/best.pt.",
)
@click.option("--shards", type=click.Path(path_type=Path), required=True, help="The dataset's.")
@click.option(
    "--split",
    type=click.Choice(PARTS),
    default="test",
    show_default=True,
    help="Part of the split.",
)
@click.option(
    "--classifiers",
    type=click.Path(path_type=Path),
    help="best.pt of zoo train personalization, to measure personal style with.",
)
@click.option("--device", default="auto", show_default=True, metavar=DEVICES, help=DEVICE_HELP)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="Picture to draw: confusions of style; without --classifiers the error along a window.",
)
@json_option
def evaluate_motion(
    model: str,
    shards: Path,
    split: str,
    classifiers: Path | None,
    device: str,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Compare generated motion with the real one of a part of the split.

    Beside the model stand the best constant of each identity, per-frame ridge regression, and the
    real motion itself. People the model was not trained on are marked as unseen.
    """
    from zoo.cli.tables import print_scores
    from zoo.evaluation.motion import evaluate_part
    from zoo.training.distributed import find_device

    with Bar("evaluate", "methods"):
        scores = evaluate_part(
            model, shards, split, classifiers=classifiers, device=find_device(device), plot=plot
        )
    if as_json:
        print_json([dataclasses.asdict(score) for score in scores])
    else:
        print_scores(scores)
