"""`ttk ls`: clips, what was turned down, and sources, one line each."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.base import command, data_option, json_option, print_json, say_next, write_data
from toolkit.dataset.options import PARTS
from toolkit.schema import Reason

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "clips": ("clip_id", "identity", "split", "source", "source_start", "duration", "shard"),
    "rejected": ("source", "identity", "start", "duration", "reason", "message"),
    "sources": ("source", "identity", "duration", "num_clips", "size"),
}
"""What can be listed -> what JSON holds of each row."""


@command("ls", example="ttk ls rejected --reason no_face --data dataset")
@click.argument("what", type=click.Choice(list(COLUMNS)), default="clips")
@click.option("--identity", metavar="NAME", help="Of this person alone.")
@click.option("--source", metavar="FILE", help="Of this video alone: its path, or the end of it.")
@click.option("--part", type=click.Choice(PARTS), help="Clips of this part of the split alone.")
@click.option(
    "--reason",
    type=click.Choice([reason.value for reason in Reason]),
    help="What was turned down for this alone.",
)
@click.option("--where", metavar="EXPR", help="Only rows for which this is true.")
@data_option
@json_option
def ls(
    what: str,
    identity: str | None,
    source: str | None,
    part: str | None,
    reason: str | None,
    where: str | None,
    data: Path,
    as_json: bool,
) -> None:
    """List clips, what was turned down and why, or sources; in order of source and time.

    Ids are as short as `ttk show` needs them. Rejected stretches under 0.2 s are counted in one
    line; --json has every row, and whole ids.
    """
    from toolkit.dataset import find

    if part is not None and what != "clips":
        raise click.UsageError("--part goes with clips")
    if reason is not None and what != "rejected":
        raise click.UsageError("--reason goes with rejected: ttk ls rejected --reason …")
    chosen: dict[str, Any] = {"identity": identity, "source": source, "where": where}
    if what == "clips":
        rows = find.choose_clips(data, **chosen, part=part)
    elif what == "rejected":
        rows = find.choose_rejected(data, **chosen, reason=reason)
    else:
        rows = find.choose_sources(data, **chosen)
    if as_json:
        print_json([_describe(row, COLUMNS[what]) for row in rows.to_dict("records")])
        return
    _PRINT[what](rows)
    say_next(_choose_next(what, rows) + write_data(data))


def _describe(row: dict[Any, Any], columns: Sequence[str]) -> dict[str, object]:
    return {name: row[name] for name in columns}


def _choose_next(what: str, rows: "pd.DataFrame") -> str:
    if what == "clips":
        return f"ttk show {rows['short_id'].iloc[0]} --out clip.mp4"
    if what == "rejected" and len(rows):
        return "ttk show --rejected --sheet rejected.png"
    return "ttk ls rejected" if what == "sources" else "ttk ls"


def _print_clips(clips: "pd.DataFrame") -> None:
    from toolkit.cli.tables import print_table

    times = [clips[name].map("{:.2f}".format) for name in ("source_start", "duration")]
    parts = clips["split"].replace("", "–")
    columns = [clips["short_id"], clips["identity"], parts, *times, clips["source"]]
    head = ("clip", "identity", "part", "start, s", "length, s", "source")
    rows = [list(map(str, row)) for row in zip(*columns, strict=True)]
    print_table(f"Clips: {len(rows)}", head, rows, names=(1, 5))


def _print_rejected(rejected: "pd.DataFrame") -> None:
    from toolkit.cli.tables import print_stretches
    from toolkit.dataset.find import part_scraps

    print_stretches(*part_scraps(rejected))


def _print_sources(sources: "pd.DataFrame") -> None:
    from toolkit.cli.tables import print_table

    lengths = sources["duration"].map("{:.1f}".format)
    columns = [sources["source"], sources["identity"], lengths, sources["num_clips"]]
    rows = [list(map(str, row)) for row in zip(*columns, strict=True)]
    head = ("source", "identity", "length, s", "clips")
    print_table(f"Sources: {len(rows)}", head, rows, names=(0, 1))


_PRINT = {"clips": _print_clips, "rejected": _print_rejected, "sources": _print_sources}
