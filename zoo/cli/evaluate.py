"""Videos of any system on the command line: evaluate video, compare and person."""

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.bar import Bar
from toolkit.cli.base import Command, Function, options_from
from toolkit.storage import check_ending, check_place, write_whole
from zoo.evaluation.options import EvaluationOptions
from zoo.speaking.options import SelfReenactmentSettings

if TYPE_CHECKING:
    from zoo.evaluation.judges import Judges
    from zoo.evaluation.pairing import Task
    from zoo.evaluation.published import PaperTable
    from zoo.evaluation.sets import SetScores
    from zoo.evaluation.systems import VideoRow

TABLES = ("facial-1", "das-1", "das-2")


def _out_options(function: Function) -> Function:
    for flag, kind, text in (
        ("--plot", {"file_okay": False}, "Folder for each video's frames and trace map."),
        ("--html", {"dir_okay": False}, "Report in one file, .html, that needs no network."),
        ("--json", {"dir_okay": False}, "Every value of every video, .json."),
    ):
        name = f"{flag[2:]}_out"
        option = click.option(flag, name, type=click.Path(path_type=Path, **kind), help=text)
        function = option(function)
    return function


@click.command(
    "video", cls=Command, example="zoo evaluate video drawn/ --real videos/ --html report.html"
)
@click.argument("fake", type=click.Path(path_type=Path))
@click.option(
    "--real",
    type=click.Path(path_type=Path),
    help="The real video, or a folder of them, paired by name.",
)
@options_from(EvaluationOptions)
@_out_options
def evaluate_video(fake: Path, real: Path | None, **options: Any) -> None:
    """Measure FAKE, a video or a folder of videos, alone or beside the real ones.

    Means over videos stand with the 95 % interval of a bootstrap over them. Beside them is what the
    real videos have, and what their first picture has when it is shown throughout. A video that
    cannot be measured has its reason; exits with 1 where none can. What a voice says is compared
    with NAME.txt beside the video or the real one.
    """
    _evaluate({"video": fake}, real, None, **options)


@click.command(
    "compare",
    cls=Command,
    example="zoo evaluate compare new=drawn/ old=before/ --real videos/ --table das-1",
)
@click.argument("systems", nargs=-1, required=True, metavar="NAME=FOLDER...")
@click.option(
    "--real",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of the real videos, paired by name.",
)
@click.option(
    "--table", type=click.Choice(TABLES), help="This paper's table, with the measured means."
)
@options_from(EvaluationOptions)
@_out_options
def evaluate_compare(
    systems: tuple[str, ...], real: Path, table: str | None, **options: Any
) -> None:
    """Measure the videos of several systems side by side.

    The best mean of a row has a star. Rows of the real videos, and of their first picture shown
    throughout, are made by themselves. Intervals stand in the report and the JSON. A video
    that cannot be measured has its reason; exits with 1 where none can.
    """
    from zoo.evaluation.pairing import parse_systems

    _evaluate(parse_systems(systems), real, table, **options)


@click.command("person", cls=Command, example="zoo evaluate person runs/me --html me.html")
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@options_from(SelfReenactmentSettings)
@options_from(EvaluationOptions)
@_out_options
def evaluate_person(run: Path, **options: Any) -> None:
    """Measure a person of `zoo personalize` on clips that they were not trained on.

    Each clip is drawn anew from its own sound, and beside it from its own motion, from the mean
    motion and from another clip's, into RUN/evaluation; videos that are there are not made again.
    All are measured beside the clip's stored frames. Heads are put where the real one is in the
    mean.
    """
    names = {field.name for field in dataclasses.fields(SelfReenactmentSettings)}
    settings = SelfReenactmentSettings(**{name: options.pop(name) for name in names})
    options["device"] = settings.device
    _check(**options)
    from zoo.speaking.self_reenactment import REAL, SelfReenactment

    work = SelfReenactment(run, settings)
    with Bar("draw", "videos") as bar:
        for _ in bar.watch(work.make(), work.num_videos):
            pass
    _evaluate(dict(work.systems), work.folder / REAL, None, **options)


def _check(
    *, json_out: Path | None, html_out: Path | None, plot_out: Path | None, **options: Any
) -> "tuple[EvaluationOptions, Judges]":
    """What is measured, and by which judges; whatever is refused is, before any work."""
    chosen = EvaluationOptions(**options)
    for path, ending in ((json_out, ".json"), (html_out, ".html")):
        if path is not None:
            check_ending(path, [ending])
            check_place(path)
    from zoo.evaluation.judges import Judges

    return chosen, Judges.open(chosen)


def _evaluate(
    systems: dict[str, Path],
    real: Path | None,
    table: str | None,
    *,
    json_out: Path | None,
    html_out: Path | None,
    plot_out: Path | None,
    **options: Any,
) -> None:
    chosen, judges = _check(json_out=json_out, html_out=html_out, plot_out=plot_out, **options)
    from zoo.evaluation.pairing import list_tasks
    from zoo.evaluation.published import make_paper_table
    from zoo.evaluation.sets import score_sets
    from zoo.evaluation.summary import summarise
    from zoo.evaluation.systems import check_some, list_systems

    tasks = list_tasks(systems, real)
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
        gallery = plot_out or (Path(folder) / "gallery" if html_out else None)
        rows = _run(tasks, chosen, gallery, Path(folder) / "features")
        metrics = chosen.list_metrics()
        sets = score_sets(rows, metrics)
        summary = summarise(rows, metrics, sets.means)
        is_published = judges.sync is not None and judges.sync.is_published
        names = list_systems(rows)
        paper = (
            make_paper_table(table, summary, names, is_judge_published=is_published)
            if table
            else None
        )
        named = judges.describe()
        if html_out is not None:
            from zoo.evaluation.report import write_report

            write_report(
                html_out,
                rows,
                metrics,
                paper,
                face=chosen.picture == "face",
                judges=named,
                sets=sets,
            )
    _print(rows, chosen, paper, named, sets)
    if json_out is not None:
        _write_json(json_out, rows, chosen, named, sets)
    for out in (json_out, html_out, plot_out):
        if out is not None:
            click.echo(f"{out}: written", err=True)
    check_some(rows)


def _run(
    tasks: "Sequence[Task]", options: EvaluationOptions, gallery: Path | None, features: Path
) -> "list[VideoRow]":
    from zoo.evaluation.systems import evaluate_tasks

    rows: list[VideoRow] = []
    with Bar("evaluate", "videos") as bar:
        for more in bar.watch(evaluate_tasks(tasks, options, gallery, features), len(tasks)):
            rows += more
    return sorted(rows, key=lambda row: row.video)


def _print(
    rows: "list[VideoRow]",
    options: EvaluationOptions,
    paper: "PaperTable | None",
    judges: dict[str, str],
    sets: "SetScores",
) -> None:
    from zoo.cli.scores import (
        print_errors,
        print_judges,
        print_missing,
        print_notes,
        print_paper,
        print_systems,
        print_videos,
    )

    metrics = options.list_metrics()
    print_systems(rows, metrics, sets.means)
    print_notes(sets.notes)
    print_missing(rows)
    print_judges(judges)
    if len(metrics) <= 4:
        print_videos(rows, metrics)
    if paper is not None:
        print_paper(paper)
    print_errors(rows, options.picture)


def _write_json(
    path: Path,
    rows: "list[VideoRow]",
    options: EvaluationOptions,
    judges: dict[str, str],
    sets: "SetScores",
) -> None:
    from zoo.evaluation.report import make_record

    record = make_record(rows, options.list_metrics(), options.picture, judges, sets)
    with write_whole(path) as temporary:
        text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
