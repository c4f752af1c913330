"""Videos of a person: from a recording, from a clip's own motion, and from nothing but a video."""

import contextlib
import dataclasses
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.bar import Bar, write_time
from toolkit.cli.base import (
    Command,
    Function,
    json_option,
    options_from,
    print_json,
    say_next,
)
from zoo.cli.progress import TrainProgress
from zoo.speaking.atvg_options import AtvgFiles, AtvgSettings
from zoo.speaking.cascaded_options import CascadedFiles, CascadedSettings
from zoo.speaking.options import PersonalizationSettings, ReenactmentSettings, SynthesisSettings
from zoo.speaking.styleheat_options import StyleHEATFiles, StyleHEATSettings
from zoo.speaking.systems import FACIAL, SYSTEMS, Settings, make_settings

if TYPE_CHECKING:
    from zoo.speaking.reenact import Figures


def _out_option(function: Function) -> Function:
    return click.option(
        "--out",
        type=click.Path(dir_okay=False, path_type=Path),
        required=True,
        help="The video: .mp4, .mov, .mkv or .webm.",
    )(function)


@click.command(
    "synthesize",
    cls=Command,
    example="zoo synthesize --audio speech.wav --person runs/me --out out.mp4\n  "
    "zoo synthesize --system cascaded --audio speech.wav --images pictures/ "
    "--l-gan runs/lgan/best.pt \\\n    --blink-gan runs/blink/best.pt --t-gan "
    "runs/me-tgan/best.pt --out out.mp4\n  "
    "zoo synthesize --system atvg --audio speech.wav --image face.png "
    "--at-net runs/at/best.pt \\\n    --vg-net runs/vg/best.pt --out out.mp4\n  "
    "zoo synthesize --system styleheat --audio speech.wav --video driver.mp4 --image face.png "
    "\\\n    --model runs/calibration/best.pt --out out.mp4",
)
@click.option(
    "--system",
    type=click.Choice(SYSTEMS),
    default=FACIAL,
    show_default=True,
    help="What speaks: a person whom zoo personalize learnt, landmarks and a few pictures, or one "
    "picture.",
)
@options_from(SynthesisSettings)
@options_from(CascadedFiles)
@options_from(AtvgFiles)
@options_from(StyleHEATFiles)
@_out_option
@json_option
def synthesize(system: str, out: Path, as_json: bool, **options: Any) -> None:
    """Make a video in which a person says what a recording says.

    facial: the head moves where it is in the longest stretch that the renderer was trained on. With
    --background source its video, forwards and backwards, is shown around it, or below a head with
    an alpha those of its frames whose heads are nearest; the video must still be where it was.

    cascaded (Das et al., 2020): anyone, from a folder of pictures or a video. The head is still, in
    the crop around it; with --background source it is pasted into the video and moves as there.
    The mouth is closed outside of speech. --blink-rate person: as in blink-gan's training.

    atvg (Chen et al., 2019): one picture of anyone, at 128 × 128; with --background source the face
    moves in the picture itself. The head is nearly still, and nothing makes it blink.

    styleheat (Yin et al., 2022): one picture of anyone, aligned, drawn anew by a generator. --audio
    alone moves the lips; with --video its head's pose is taken, too; --video alone moves all of the
    face. --edit changes the face in all frames alike.
    """
    settings = make_settings(system, options)
    with Bar("synthesize", "frames") as bar:
        video: Any = _speak(settings, out, bar)
    if as_json:
        print_json(dataclasses.asdict(video))
    else:
        click.echo(f"{out}: {video.num_frames} frames, {video.num_frames / video.fps:.2f} s")
        if getattr(video, "attention", None) is not None:
            click.echo(f"{video.attention}: frames, attention and motion")


def _speak(settings: Settings, out: Path, bar: Bar) -> Any:
    if isinstance(settings, AtvgSettings):
        from zoo.speaking.atvg import synthesize_atvg

        return synthesize_atvg(settings, out, watch=bar.watch, say=bar.say)
    if isinstance(settings, StyleHEATSettings):
        from zoo.speaking.styleheat import synthesize_styleheat

        return synthesize_styleheat(settings, out, watch=bar.watch, say=bar.say)
    if isinstance(settings, CascadedSettings):
        from zoo.speaking.cascaded import synthesize_cascaded

        return synthesize_cascaded(settings, out, watch=bar.watch, say=bar.say)
    from zoo.speaking.synthesize import synthesize as make_video

    return make_video(settings, out, watch=bar.watch)


@click.command(
    "reenact",
    cls=Command,
    example="zoo reenact CLIP_ID --renderer runs/NAME-renderer/best.pt --shards shards/ "
    "--out out.mp4",
)
@click.argument("clip_id")
@options_from(ReenactmentSettings)
@_out_option
@json_option
def reenact(clip_id: str, out: Path, as_json: bool, **options: Any) -> None:
    """Draw a clip anew from its own motion, or with --motion-model from its own sound.

    CLIP_ID may be the beginning of an id that no other clip has. Beside the video its error map is
    written, named OUT-error: the difference to the stored frames, from black (none) to yellow
    (64 of 255 levels and more). PSNR and SSIM are means over the whole clip, and over its frames
    that the renderer never saw in training, and those that it did.
    """
    settings = ReenactmentSettings(**options)
    from zoo.speaking.reenact import reenact as make_video

    with Bar("reenact", "frames") as bar:
        video = make_video(clip_id, settings, out, watch=bar.watch)
    if as_json:
        print_json(dataclasses.asdict(video))
    else:
        click.echo(f"{out}: {_describe(video.whole)}")
        for name, figures in (("held out", video.held_out), ("trained on", video.trained_on)):
            if figures is not None:
                click.echo(f"  {name}: {_describe(figures)}")
        click.echo(f"{video.error_map}: the error map")


def _describe(figures: "Figures") -> str:
    psnr = "no difference" if figures.psnr is None else f"PSNR {figures.psnr:.2f} dB"
    return f"{figures.num_frames} frames, {psnr}, SSIM {figures.ssim:.3f}"


@click.command(
    "personalize",
    cls=Command,
    example="zoo personalize me.mp4 --base runs/facial/best.pt --out runs/me",
)
@click.argument("video", type=click.Path(path_type=Path))
@options_from(PersonalizationSettings)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Their folder."
)
@json_option
def personalize(video: Path, out: Path, as_json: bool, **options: Any) -> None:
    """Learn a person from one VIDEO: ingest it, fine-tune their motion, train their renderer.

    Run again after a kill, it goes on where it was. Then: zoo synthesize --audio speech.wav
    --person OUT --out out.mp4.
    """
    settings = PersonalizationSettings(**options)
    from toolkit.cli.progress import IngestProgress
    from zoo.cli.train import exit_when_stopped
    from zoo.speaking.personalize import Personalization

    work, seconds = Personalization(video, settings, out), dict[str, float]()
    work.check()
    with _time_stage("ingest", seconds), IngestProgress() as bar:
        work.ingest(on_plan=bar.start, on_progress=bar.advance)
    with (
        exit_when_stopped("the same command"),
        _time_stage("fine-tuning", seconds),
        TrainProgress(settings.motion_epochs, "windows") as progress,
    ):
        work.finetune(progress.advance)
    epochs = work.plan_renderer().epochs
    with (
        exit_when_stopped("the same command"),
        _time_stage("renderer", seconds),
        TrainProgress(epochs, "frames") as progress,
    ):
        work.train_renderer(progress.advance)
    person = work.save()
    if as_json:
        print_json({**dataclasses.asdict(person), "seconds": seconds})
    else:
        click.echo(f"{out}: {person.identity} is ready to speak")
        say_next(
            f"zoo synthesize --audio speech.wav --person {shlex.quote(str(out))} --out out.mp4"
        )


@contextlib.contextmanager
def _time_stage(name: str, seconds: dict[str, float]) -> Iterator[None]:
    """A line with the time that a stage took, where it came to its end."""
    began = time.monotonic()
    yield
    seconds[name] = time.monotonic() - began
    click.echo(f"{name}: {write_time(seconds[name])}", err=True)
