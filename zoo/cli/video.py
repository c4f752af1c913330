"""Videos of a person: from a recording, from a clip's own motion, and from nothing but a video."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from toolkit.cli.bar import Bar
from toolkit.cli.base import Command, Function, json_option, options_from, print_json
from zoo.video.settings import ReenactmentSettings, SynthesisSettings


def _out_option(function: Function) -> Function:
    return click.option(
        "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The MP4."
    )(function)


@click.command(
    "synthesize",
    cls=Command,
    example="zoo synthesize --audio speech.wav --person runs/me --out out.mp4",
)
@options_from(SynthesisSettings)
@_out_option
@json_option
def synthesize(out: Path, as_json: bool, **options: Any) -> None:
    """Make a video in which a person says what a recording says.

    The head moves where it is in the person's longest clip. With --background source that clip's
    video, forwards and backwards, is shown around it; the video must still be where it was.
    """
    settings = SynthesisSettings(**options)
    from zoo.video.synthesize import synthesize as make_film

    with Bar("synthesize", "frames") as bar:
        film = make_film(settings, out, watch=bar.watch)
    if as_json:
        print_json(dataclasses.asdict(film))
    else:
        click.echo(f"{out}: {film.num_frames} frames, {film.num_frames / film.fps:.2f} s")


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
    written, OUT-error.mp4: the difference to the stored frames, from black (none) to yellow
    (64 of 255 levels and more).
    """
    settings = ReenactmentSettings(**options)
    from zoo.video.reenact import reenact as make_film

    with Bar("reenact", "frames") as bar:
        film = make_film(clip_id, settings, out, watch=bar.watch)
    if as_json:
        print_json(dataclasses.asdict(film))
    else:
        psnr = "no difference" if film.psnr is None else f"PSNR {film.psnr:.2f} dB"
        click.echo(f"{out}: {film.num_frames} frames, {psnr}, SSIM {film.ssim:.3f}")
        click.echo(f"{film.error_map}: the error map")
