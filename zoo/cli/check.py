"""`zoo check`: what looks wrong in a dataset, as a judge with weights sees it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.bar import Bar
from toolkit.cli.base import Command, data_option, json_option, print_json
from toolkit.storage import check_ending, check_place
from zoo.evaluation.options import DLIB_LIMIT

if TYPE_CHECKING:
    from zoo.evaluation.clip_faces import ClipFace
    from zoo.evaluation.suspects import Suspects

MOST = 100
"""Rows of a table."""


@click.command(
    "identities", cls=Command, example="zoo check identities --data demo --sheet suspects.png"
)
@data_option
@click.option(
    "--threshold",
    type=click.FloatRange(0, min_open=True),
    default=DLIB_LIMIT,
    show_default=True,
    help="Distance below which two faces are one person's; 0.6 is dlib's own.",
)
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Faces of the first suspects side by side, .png.",
)
@json_option
def check_identities(data: Path, threshold: float, sheet: Path | None, as_json: bool) -> None:
    """List names that may be one person, and clips that may be another than their name says.

    dlib's face recogniser (extra `identity`) sees the most frontal of five stretches of each clip,
    in the stored crops. A distance is the median over pairs of clips. Suspects are for you to look
    at: nothing in the dataset is changed, and relatives or bad light look like one person too.
    """
    if sheet is not None:
        check_ending(sheet, [".png"])
        check_place(sheet)
    from toolkit.errors import ToolkitError
    from zoo.data.source import select_clips
    from zoo.evaluation.clip_faces import describe_clips, require_crops
    from zoo.evaluation.recognition import open_recogniser
    from zoo.evaluation.suspects import find_suspects

    network = open_recogniser()
    parts = select_clips(data)
    require_crops(parts)
    with Bar("look", "clips") as bar:
        seen = list(bar.watch(describe_clips(parts, network), len(parts)))
    clips = [clip for clip in seen if clip is not None]
    if len(clips) < 2:
        raise ToolkitError(
            f"{data}: {len(clips)} of {len(parts)} clips show a measured face: two are needed to "
            "compare"
        )
    names = [clip.part.clip.identity for clip in clips]
    suspects = find_suspects(names, [clip.features for clip in clips], threshold)
    if as_json:
        print_json(_make_record(suspects, clips, len(parts), threshold, network.label))
    else:
        _print(suspects, clips, threshold)
    _note(clips, len(parts))
    if sheet is not None:
        _write_sheet(suspects, clips, sheet)


def _write_sheet(suspects: "Suspects", clips: "Sequence[ClipFace]", sheet: Path) -> None:
    from zoo.evaluation.suspects_sheet import draw_suspects

    total = len(suspects.alike) + len(suspects.distant)
    num = draw_suspects(suspects, clips, sheet)
    text = f"written, {num} of {total} suspects" if num else "not written: there are no suspects"
    click.echo(f"{sheet}: {text}", err=True)


def _note(clips: "Sequence[ClipFace]", num_clips: int) -> None:
    if unseen := num_clips - len(clips):
        click.echo(f"zoo: warning: {unseen} clips without a measured face: left out", err=True)
    if len({clip.part.clip.identity for clip in clips}) == 1:
        text = "one identity alone: its clips are compared with one another"
        click.echo(f"zoo: warning: {text}", err=True)


def _print(suspects: "Suspects", clips: "Sequence[ClipFace]", threshold: float) -> None:
    from toolkit.cli.tables import print_table
    from toolkit.dataset.find import shorten_ids

    if suspects.alike:
        rows = [
            [*pair.identities, f"{pair.distance:.3f}", str(pair.num_pairs)]
            for pair in suspects.alike[:MOST]
        ]
        title = f"Two names, one person? Medians below {threshold:g}"
        print_table(title, ("name", "name", "distance", "pairs of clips"), rows, names=(0, 1))
    if suspects.distant:
        short = shorten_ids(clip.part.clip.id for clip in clips)
        rows = [
            [
                found.identity,
                short[clips[found.clip].part.clip.id],
                f"{found.distance:.3f}",
                found.nearest,
                "" if found.nearest_distance is None else f"{found.nearest_distance:.3f}",
            ]
            for found in suspects.distant[:MOST]
        ]
        title = f"One name, two people? Medians to the name's other clips above {threshold:g}"
        head = ("name", "clip", "distance", "nearest other name", "distance")
        print_table(title, head, rows, names=(0, 3))
    more = sum(max(0, len(found) - MOST) for found in (suspects.alike, suspects.distant))
    if more:
        click.echo(f"{more} more: --json lists all")
    if not (suspects.alike or suspects.distant):
        click.echo("no suspects")
    for what, shares in (("one name", suspects.within), ("two names", suspects.between)):
        if shares:
            low, middle, high = shares
            click.echo(f"clips of {what}: {middle:.2f} apart (5 to 95 %: {low:.2f} to {high:.2f})")


def _make_record(
    suspects: "Suspects", clips: "Sequence[ClipFace]", num_clips: int, threshold: float, judge: str
) -> dict[str, Any]:
    from zoo.evaluation.suspects import SHARES

    record = dataclasses.asdict(suspects)
    for found in record["distant"]:
        clip = clips[found["clip"]].part.clip
        found |= {"clip": clip.id, "source": clip.source}
    return {
        "judge": judge,
        "threshold": threshold,
        "num_clips": num_clips,
        "num_compared": len(clips),
        "shares": SHARES,
    } | record
