"""`ttk exclude`: clips that splits and trainings leave out."""

from pathlib import Path

import click

from toolkit.cli.base import (
    command,
    data_option_to_write,
    json_option,
    print_json,
    say_next,
    write_data,
)
from toolkit.names import write_name


@command("exclude", example="ttk exclude 60fb69b9-180 --reason 'two voices' --data dataset")
@click.argument("clip_ids", nargs=-1, metavar="[CLIP_ID]...")
@click.option("--reason", default="", metavar="TEXT", help="Why: stands beside the clip.")
@click.option("--undo", is_flag=True, help="Take the clips in again.")
@data_option_to_write
@json_option
def exclude(clip_ids: tuple[str, ...], reason: str, undo: bool, data: Path, as_json: bool) -> None:
    """Leave clips out of splits and trainings; without CLIP_ID, list those that are.

    CLIP_ID is what `ttk ls` lists. Shards and tables stay as they are: the list is
    manifests/excluded.csv.
    """
    from toolkit.dataset.excluded import exclude_clips, include_clips, read_excluded
    from toolkit.dataset.find import find_clip

    if not clip_ids and (reason or undo):
        raise click.UsageError("--reason and --undo go with CLIP_ID: ttk ls lists them")
    if undo and reason:
        raise click.UsageError("--reason or --undo, not both")
    found = [find_clip(data, each)[0] for each in clip_ids]
    if found and undo:
        include_clips(data, found)
    elif found:
        exclude_clips(data, found, reason)
    excluded = read_excluded(data)
    if as_json:
        print_json(excluded)
        return
    for clip_id, why in excluded.items():
        click.echo(write_name(f"{clip_id}: {why}" if why else clip_id))
    click.echo(f"clips left out: {len(excluded)}")
    if found:
        say_next(f"ttk split{write_data(data)}")
