"""Speech to motion on the command line: generate, evaluate."""

import dataclasses
import shlex
from pathlib import Path

import click

from toolkit.cli.bar import Bar
from toolkit.cli.base import Command, json_option, print_json, say_next
from toolkit.dataset.options import PARTS
from zoo.motion.blink_rate import BLINK_HELP, MODEL, PERSON, parse_blink_rate, refuse_plain_rate
from zoo.training.options import DEVICE_HELP, DEVICES


@click.command(
    "generate",
    cls=Command,
    example="zoo generate --model runs/NAME/best.pt --audio speech.wav --out motion.npz",
)
@click.option("--model", type=click.Path(path_type=Path), required=True, help="A checkpoint.")
@click.option("--audio", type=click.Path(path_type=Path), help="A recording of any length.")
@click.option(
    "--scores",
    type=click.Path(path_type=Path),
    metavar="FILE.npy",
    help="Instead, for a model of zoo convert facial-official: raw logits of DeepSpeech 0.1.0, "
    "(n, 29), 30 a second.",
)
@click.option(
    "--pose-like",
    type=click.Path(path_type=Path),
    metavar="FILE.npy",
    help="With --scores: motion (n, 71) by the released code, whose mean and deviation the pose "
    "is to have. Default: 0 and 1.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The motion, .npz.")
@click.option("--identity", help="Whose rest pose to move about, where the model knows several.")
@click.option(
    "--initial",
    metavar="CLIP_ID",
    help="Begin as this clip does (its id, or the beginning of it); needs --shards.",
)
@click.option("--shards", type=click.Path(path_type=Path), help="Where that clip is.")
@click.option("--blink-rate", metavar="RATE", default=PERSON, show_default=True, help=BLINK_HELP)
@click.option("--weights", type=click.Path(path_type=Path), help="Of another acoustic model.")
@click.option("--smooth", is_flag=True, help="Take out the fastest trembling.")
@click.option("--no-fade", is_flag=True, help="Leave the seams of windows as they are made.")
@click.option("--plain", is_flag=True, help="--no-fade and --blink-rate model: the paper alone.")
@click.option("--device", default="auto", show_default=True, metavar=DEVICES, help=DEVICE_HELP)
def generate(
    model: Path,
    audio: Path | None,
    scores: Path | None,
    pose_like: Path | None,
    out: Path,
    identity: str | None,
    initial: str | None,
    shards: Path | None,
    blink_rate: str,
    weights: Path | None,
    smooth: bool,
    no_fade: bool,
    plain: bool,
    device: str,
) -> None:
    """Make motion for a recording: expression, head pose and blinks of every frame."""
    if (audio is None) == (scores is None):
        raise click.UsageError("give --audio or --scores")
    if scores is None and pose_like is not None:
        raise click.UsageError("--pose-like belongs to --scores")
    if scores is not None and (identity or initial or weights):
        raise click.UsageError("--scores takes no --identity, --initial or --weights")
    if plain:
        if smooth:
            raise click.UsageError("--plain smooths nothing: leave it or --smooth away")
        refuse_plain_rate(blink_rate)
        blink_rate, no_fade = MODEL, True
    from zoo.data import find_clip
    from zoo.models.registry import open_model
    from zoo.motion.motion_file import check_motion_place, save_motion
    from zoo.motion.released import load_scores, save_released
    from zoo.motion.speech import predict_scores
    from zoo.training.distributed import find_device

    if (initial is None) != (shards is None):
        raise click.UsageError("--initial and --shards belong together")
    if initial is not None and identity is not None:
        raise click.UsageError("--initial brings its own --identity: leave one of them away")
    check_motion_place(out)
    rate = parse_blink_rate(blink_rate)
    trained = open_model(model, find_device(device), makes="motion")
    features = trained.contract.speech_features
    clip = find_clip(shards, initial, features) if shards and initial else None
    options = {"smooth": smooth, "fade": not no_fade, "blink_rate": rate}
    if scores is not None:
        heard = load_scores(scores, trained.contract)
        motion = trained.generate(heard, **options)
        save_released(out, motion, trained.contract, pose_like)
    elif audio is not None:
        heard = predict_scores(audio, trained.contract, weights)
        motion = trained.generate(heard, identity=identity, initial=clip, **options)
        save_motion(out, motion, trained.contract.fps)
    click.echo(f"{out}: {len(motion)} frames, {len(motion) / trained.contract.fps:.2f} s")
    if audio is not None:
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
