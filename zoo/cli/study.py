"""`zoo study`: pages on which people rate videos, and the table of their answers."""

import dataclasses
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.cli.base import Command, json_option, print_json, say_next
from zoo.evaluation.studies.protocols import PROTOCOLS

if TYPE_CHECKING:
    from zoo.metrics.intervals import Interval


@click.group("study")
def study() -> None:
    """Have people rate videos of several systems, as the papers did."""


@study.command(
    "make",
    cls=Command,
    example="zoo study make --systems new=made/ real=real/ --protocol das --out study",
)
@click.option(
    "--systems",
    metavar="NAME=FOLDER",
    multiple=True,
    required=True,
    help="A system and the folder of its videos (.mp4, .webm). Further ones may follow.",
)
@click.argument("others", metavar="[NAME=FOLDER]...", nargs=-1)
@click.option(
    "--protocol",
    type=click.Choice(list(PROTOCOLS)),
    required=True,
    help="What is asked: facial: four criteria, −2 to 2; das: realism, 1 (fake) to 10 (real).",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="A new folder.",
)
@click.option("--raters", type=click.IntRange(1), help="Pages to make. Default: as in the paper.")
@click.option(
    "--videos",
    "num_videos",
    type=click.IntRange(2),
    help="That each rater judges. Default: as in the paper, or all there are.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn."
)
def make(
    systems: tuple[str, ...],
    others: tuple[str, ...],
    protocol: str,
    out: Path,
    raters: int | None,
    num_videos: int | None,
    seed: int,
) -> None:
    """Write a page for each rater, with videos under names that do not say whose they are.

    Give raters the folder OUT/pages, and keep OUT/study.json, which says which video is whose.
    Put the files that their browsers save into OUT/answers.
    """
    from zoo.evaluation.pairing import parse_systems
    from zoo.evaluation.studies.make import ANSWERS, PAGES, make_study

    folders = parse_systems((*systems, *others), taken=())
    made = make_study(
        out, folders, PROTOCOLS[protocol], raters=raters, num_videos=num_videos, seed=seed
    )
    shown = len(made.sheets[0].videos)
    click.echo(
        f"{out / PAGES}: {len(made.sheets)} pages, {shown} videos each; study {made.id}, "
        f"seed {made.seed}"
    )
    say_next(f"zoo study score {shlex.quote(str(out / ANSWERS))}")


@study.command("score", cls=Command, example="zoo study score study/answers")
@click.argument("answers", type=click.Path(file_okay=False, path_type=Path))
@json_option
def score(answers: Path, as_json: bool) -> None:
    """Print the paper's table of the files of answers in a folder, the paper's own rows below.

    Brackets hold 95 % intervals over raters, where there are two or more.
    """
    from zoo.cli.tables import print_study
    from zoo.evaluation.studies.score import score_study

    scores = score_study(answers)
    if as_json:
        means = {
            system: {name: _drop_unknown(mean) for name, mean in criteria.items()}
            for system, criteria in scores.means.items()
        }
        document = dataclasses.asdict(scores) | {"protocol": scores.protocol.name, "means": means}
        print_json(document | {"published": scores.protocol.published})
    else:
        print_study(scores)
    for line in scores.missing:
        click.echo(f"zoo: warning: {line}", err=True)


def _drop_unknown(mean: "Interval") -> dict[str, float | None]:
    """None where there is no answer, for JSON has no NaN."""
    return dataclasses.asdict(mean) | ({"value": None} if math.isnan(mean.value) else {})
