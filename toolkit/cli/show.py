"""`ttk show`: clips with what was measured drawn in, and what was turned down."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.cli.bar import Bar
from toolkit.cli.base import choose_split, command, data_option, say_next
from toolkit.errors import ShardError
from toolkit.schema import Reason

if TYPE_CHECKING:
    import pandas as pd


@command("show", example="ttk show --first --data dataset --out clip.mp4 --sheet clip.png")
@click.argument("clip_ids", nargs=-1, metavar="[CLIP_ID]...")
@click.option("--first", is_flag=True, help="The first clip alone, in order of source and time.")
@click.option("--all", "everything", is_flag=True, help="Every clip.")
@click.option("--identity", metavar="NAME", help="Clips of this person.")
@click.option("--source", metavar="FILE", help="Clips of this video: its path, or the end of it.")
@click.option("--rejected", is_flag=True, help="What was turned down, in place of clips.")
@click.option(
    "--reason",
    type=click.Choice([reason.value for reason in Reason]),
    help="With --rejected: what was turned down for this.",
)
@data_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.mp4",
    help="Video to write: mesh, pose axes and running traces, with the sound.",
)
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    metavar="FILE.png",
    help="Contact sheet to write: 24 frames at even distances.",
)
def show(
    clip_ids: tuple[str, ...],
    first: bool,
    everything: bool,
    identity: str | None,
    source: str | None,
    rejected: bool,
    reason: str | None,
    data: Path,
    out: Path | None,
    sheet: Path | None,
) -> None:
    """Show clips with mesh, pose axes and running AU45, pose and speech traces drawn in.

    CLIP_ID is what `ttk ls` lists, or any beginning of an id that no other clip has.
    Where several clips are chosen, or a name has no ending, --out and --sheet name folders.
    --rejected draws a contact sheet of what was turned down: the middle picture of each stretch,
    and why.
    """
    if rejected:
        if clip_ids or first or everything or out is not None or sheet is None:
            raise click.UsageError(
                "--rejected goes with --sheet FILE.png, and --identity, --source, --reason"
            )
        _show_rejected(data, identity, source, reason, _check_name("--sheet", sheet, ".png"))
        return
    if out is None and sheet is None:
        raise click.UsageError("nothing to write: give --out FILE.mp4 or --sheet FILE.png")
    if reason is not None:
        raise click.UsageError("--reason goes with --rejected")
    if bool(clip_ids) + first + everything > 1:
        raise click.UsageError("give ids, --first or --all: one of the three")
    if not (clip_ids or first or everything or identity or source):
        raise click.UsageError(
            "which clip? give the beginning of an id (ttk ls lists them), --first, --all, "
            "--identity NAME or --source FILE"
        )
    from toolkit.dataset.find import choose_clips, find_clip

    clips = choose_clips(data, identity=identity, source=source)
    if clip_ids:
        clips = clips[clips["clip_id"].isin([find_clip(data, each)[0] for each in clip_ids])]
        if clips.empty:
            raise click.UsageError("none of these clips is of that --identity or --source")
    _show_clips(data, clips[:1] if first else clips, out, sheet)


def _show_clips(data: Path, clips: "pd.DataFrame", out: Path | None, sheet: Path | None) -> None:
    from toolkit.preview import render_clip, render_sheet

    num_clips = len(clips)
    _check_target("--out", out, ".mp4", num_clips)
    _check_target("--sheet", sheet, ".png", num_clips)
    num_failed = 0
    for clip_id, short_id in zip(clips["clip_id"], clips["short_id"], strict=True):
        try:
            if sheet is not None:
                target = sheet if _is_file(sheet, num_clips) else sheet / f"{short_id}.png"
                click.echo(render_sheet(data, clip_id, target))
            if out is not None:
                target = out if _is_file(out, num_clips) else out / f"{short_id}.mp4"
                with Bar(short_id, "frames") as bar:
                    render_clip(data, clip_id, target, progress=bar.count)
                click.echo(target)
        except ShardError as error:
            if num_clips == 1:
                raise
            num_failed += 1
            click.echo(f"{short_id}: {error}", err=True)
    if num_failed:
        raise ShardError(f"{num_failed} of {num_clips} clips could not be shown; the rest were")
    say_next(_choose_next(data))


def _choose_next(data: Path) -> str:
    from toolkit.dataset.manifest import has_split

    if not has_split(data):
        return choose_split(data)
    return f"zoo train facial-gan --shards {shlex.quote(str(data / 'shards'))} --out runs/facial"


def _show_rejected(
    data: Path, identity: str | None, source: str | None, reason: str | None, sheet: Path
) -> None:
    from toolkit.dataset.find import choose_rejected, describe_scraps
    from toolkit.dataset.mirrored import look_up_sources
    from toolkit.preview import render_rejected

    look_up_sources(data)
    rows = choose_rejected(data, identity=identity, source=source, reason=reason)
    with Bar("rejected", "stretches") as bar:
        drawn = render_rejected(data, rows, sheet, progress=bar.count)
    more = f", {drawn.num_left_out} shorter ones left out" if drawn.num_left_out else ""
    click.echo(f"{sheet}: {drawn.num_drawn} stretches{more}")
    if drawn.scraps:
        click.echo(describe_scraps(drawn.scraps))


def _is_file(path: Path, num_clips: int) -> bool:
    """Whether so many clips go into this one file, not into a folder."""
    return num_clips == 1 and path.suffix != ""


def _check_target(option: str, path: Path | None, suffix: str, num_clips: int) -> None:
    if path is None:
        return
    if _is_file(path, num_clips):
        _check_name(option, path, suffix)
    elif path.suffix.lower() in (".mp4", ".png") or path.is_file():
        raise click.UsageError(
            f"{option} {path}: {num_clips} clips are chosen: name a folder for them, or choose "
            "one, as by --first"
        )


def _check_name(option: str, path: Path, suffix: str) -> Path:
    if path.suffix.lower() != suffix:
        raise click.UsageError(f"{option} {path}: the name must end in {suffix}")
    return path
