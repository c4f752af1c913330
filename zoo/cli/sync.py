"""Lip-sync on the command line: evaluate, export."""

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.bar import Bar
from toolkit.cli.base import Command, json_option, print_json, say_next
from toolkit.dataset.options import PARTS
from zoo.cli.groups import export_options
from zoo.evaluation.options import JUDGE_HELP, WORKERS_HELP, check_workers
from zoo.training.options import DEVICE_HELP, DEVICES

if TYPE_CHECKING:
    from zoo.evaluation.lips import FileSync
    from zoo.evaluation.sync import ShiftReport


@click.command(
    "syncnet",
    cls=Command,
    example="zoo export syncnet --run runs/sync --out judge.safetensors",
)
@export_options
def export_syncnet(run: Path, out: Path) -> None:
    """Write a run's judge for `zoo evaluate sync --judge`: a small file without its training."""
    from zoo.models.syncnet.model import export_weights
    from zoo.training.loop import BEST

    export_weights(run / BEST, out)
    click.echo(f"{out}: the judge of {run}, {out.stat().st_size / 1e6:.1f} MB")
    say_next(f"zoo evaluate sync video.mp4 --judge {shlex.quote(str(out))}")


@click.command("sync", cls=Command, example="zoo evaluate sync video.mp4 --judge runs/sync/best.pt")
@click.argument("videos", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--judge",
    type=click.Path(path_type=Path),
    required=True,
    help=JUDGE_HELP,
)
@click.option(
    "--shards",
    type=click.Path(path_type=Path),
    help="Instead of videos: how often the judge finds by how much the sound of these clips was "
    "moved.",
)
@click.option("--split", type=click.Choice(PARTS), help="Of --shards, this part alone.")
@click.option("--workers", type=int, default=1, show_default=True, help=WORKERS_HELP)
@click.option("--device", default="auto", show_default=True, metavar=DEVICES, help=DEVICE_HELP)
@json_option
def evaluate_sync(
    videos: tuple[Path, ...],
    judge: Path,
    shards: Path | None,
    split: str | None,
    workers: int,
    device: str,
    as_json: bool,
) -> None:
    """Measure whether lips and sound of VIDEOS, files or folders of them, are in step.

    Prints the offset in words, the confidence (LSE-C: median less least distance over ±15 frames
    of 25 a second), the least distance (LSE-D), and the distance as the video is. Ends of a video,
    where a shift has no sound, do not count. Exits with 1 if a video could not be measured.
    """
    check_workers(workers)
    if bool(videos) == (shards is not None):
        raise click.UsageError("give VIDEOS or --shards")
    if split and shards is None:
        raise click.UsageError("--split belongs to --shards")
    from zoo.evaluation.lips import describe_judge, open_judge

    opened, files = open_judge(judge, device), _list_files(videos)
    made_by = {"judge": opened.name, "sha256": opened.sha256}
    if shards is not None:
        from zoo.data.talking import load_talking_clips
        from zoo.evaluation.sync import find_shifts

        report = find_shifts(load_talking_clips(shards, split=split), opened)
        if as_json:
            print_json(made_by | dataclasses.asdict(report))
        else:
            _print_report(report, opened.name)
        return
    rows = _judge(files, judge, device, workers)
    if as_json:
        print_json(made_by | {"videos": rows})
    else:
        _print_videos(rows, files, describe_judge(opened))
    if any("error" in row for row in rows):
        raise SystemExit(1)


def _list_files(videos: tuple[Path, ...]) -> dict[Path, str]:
    """Files, those of folders included, and what each is called in the table."""
    from zoo.evaluation.pairing import list_videos

    return {
        file: file.relative_to(video).as_posix() if video.is_dir() else video.name
        for video in videos
        for file in (list_videos(video).values() if video.is_dir() else (video,))
    }


def _judge(files: dict[Path, str], judge: Path, device: str, workers: int) -> list[dict[str, Any]]:
    """A row for each video, in their order."""
    from zoo.evaluation.lips import judge_files

    with Bar("judge", "videos") as bar:
        work = judge_files(list(files), judge, device=device, workers=workers)
        rows = {done.path: _make_row(done) for done in bar.watch(work, len(files))}
    return [rows[file] for file in files]


def _make_row(done: "FileSync") -> dict[str, Any]:
    if done.score is None:
        return {"video": str(done.path), "error": done.error}
    words = done.score.describe()
    return {"video": str(done.path), "words": words, **dataclasses.asdict(done.score)}


def _print_videos(rows: list[dict[str, Any]], names: dict[Path, str], judge: str) -> None:
    columns = ("video", "offset", "LSE-C", "LSE-D", "as it is", "windows")
    measured = [
        [
            names[Path(row["video"])],
            f"{row['offset']:+d}",
            *(f"{row[name]:.2f}" for name in ("confidence", "distance", "in_place")),
            str(row["num_windows"]),
        ]
        for row in rows
        if "error" not in row
    ]
    if measured:
        from toolkit.cli.tables import print_table

        print_table("Lips and sound", columns, measured)
        click.echo(f"judge: {judge}")
    for row in rows:
        click.echo(f"{row['video']}: {row.get('words') or row['error']}")


def _print_report(report: "ShiftReport", judge: str) -> None:
    click.echo(
        f"{report.num_clips} clips, sound moved by −10 to +10 frames: {report.found:.0%} found "
        f"within a frame, {report.exact:.0%} exactly"
    )
    rows = [
        [f"{shift:+d}", f"{share:.0%}", f"{report.confidence[shift]:.2f}"]
        for shift, share in report.by_shift.items()
    ]
    from toolkit.cli.tables import print_table

    print_table(f"Frames by which sound is late, {judge}", ("frames", "found", "confidence"), rows)
    people = [
        [name, f"{share:.0%}", f"{report.offsets[name]:+.0f}"]
        for name, share in report.by_identity.items()
    ]
    print_table(f"Offset as they are, {judge}", ("identity", "found", "offset"), people)
