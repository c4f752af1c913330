"""`ttk show`: a clip with what was measured drawn in."""

from pathlib import Path

import click

from toolkit.cli.bar import Bar
from toolkit.cli.base import command, data_option


@command("show", example="ttk show 60fb69b9 --data dataset --out clip.mp4 --sheet clip.png")
@click.argument("clip_id", metavar="CLIP_ID")
@data_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.mp4",
    help="Video to write: mesh, pose axes and running traces, with the sound.",
)
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.png",
    help="Contact sheet to write: 24 frames at even distances.",
)
def show(clip_id: str, data: Path, out: Path | None, sheet: Path | None) -> None:
    """Show a clip with mesh, pose axes and running AU45, pose and speech traces drawn in.

    CLIP_ID is the clip's id in manifests/clips, or the beginning of it that no other clip has.
    """
    _check_name("--out", out, ".mp4")
    _check_name("--sheet", sheet, ".png")
    if out is None and sheet is None:
        raise click.UsageError("nothing to write: give --out FILE.mp4 or --sheet FILE.png")
    from toolkit.preview import find_clip_by_prefix, render_clip, render_sheet

    clip_id, *_ = find_clip_by_prefix(data, clip_id)
    if sheet is not None:
        click.echo(render_sheet(data, clip_id, sheet))
    if out is not None:
        with Bar("show", "frames") as bar:
            render_clip(data, clip_id, out, progress=bar.count)
        click.echo(out)


def _check_name(option: str, path: Path | None, suffix: str) -> None:
    if path is not None and path.suffix.lower() != suffix:
        raise click.UsageError(f"{option} {path}: the name must end in {suffix}")
