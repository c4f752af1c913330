"""`ttk export`: a dataset as the files of other programs."""

import dataclasses
import importlib
from pathlib import Path
from typing import Any

import click

from toolkit.cli.bar import Bar
from toolkit.cli.base import (
    Function,
    Group,
    command,
    data_option,
    json_option,
    options_from,
    print_json,
)
from toolkit.export.options import ExportOptions, FacialOptions, HubOptions

FORMATS = {
    "facial": "toolkit.cli.export:facial",
    "openface": "toolkit.cli.export:openface",
    "webdataset": "toolkit.cli.export:webdataset",
    "hf": "toolkit.cli.export:hf",
}
"""Format -> "module:function"."""


def _out_option(function: Function) -> Function:
    return click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        required=True,
        help="New or empty folder; the same command goes on with one that was stopped.",
    )(function)


@click.command(
    "export",
    cls=Group,
    table=FORMATS,
    epilog="\b\nExample:\n  ttk export hf --data dataset --out hub --license cc-by-4.0",
)
def export() -> None:
    """Write clips as the files of other programs."""


@command("facial", example="ttk export facial --data dataset --out facial --split train")
@options_from(FacialOptions)
@_out_option
@data_option
@json_option
def facial(data: Path, out: Path, as_json: bool, **options: Any) -> None:
    """Files that the code released with FACIAL reads: .pkl, .npz, CSV, WAV.

    Motion is of its order and units (degrees, px of a 512 px crop), scores in windows of 16.
    """
    _export("facial:export_facial", data, out, FacialOptions(**options), as_json)


@command("openface", example="ttk export openface --data dataset --out csv")
@options_from(ExportOptions)
@_out_option
@data_option
@json_option
def openface(data: Path, out: Path, as_json: bool, **options: Any) -> None:
    """One CSV for each clip, as OpenFace 2.1 writes them: pose, 68 points, AU45."""
    _export("openface:export_openface", data, out, ExportOptions(**options), as_json)


@command("webdataset", example="ttk export webdataset --data dataset --out tars")
@options_from(ExportOptions)
@_out_option
@data_option
@json_option
def webdataset(data: Path, out: Path, as_json: bool, **options: Any) -> None:
    """Tar files of samples: .json, .wav, .mp4 and one .npy for each array."""
    _export("webdataset:export_webdataset", data, out, ExportOptions(**options), as_json)


@command("hf", example="ttk export hf --data dataset --out hub --license cc-by-4.0")
@options_from(HubOptions)
@_out_option
@data_option
@json_option
def hf(data: Path, out: Path, as_json: bool, **options: Any) -> None:
    """A folder for Hugging Face datasets: parquet, a dataset card, Croissant metadata."""
    _export("hub:export_hub", data, out, HubOptions(**options), as_json)


def _export(name: str, data: Path, out: Path, options: ExportOptions, as_json: bool) -> None:
    module, function = name.split(":")
    run = getattr(importlib.import_module(f"toolkit.export.{module}"), function)
    with Bar("export", "clips") as bar:
        report = run(data, out, options, bar.count)
    if as_json:
        print_json(dataclasses.asdict(report))
        return
    kept = f", {report.num_kept} of them there before" if report.num_kept else ""
    click.echo(
        f"{out}: {report.num_clips} clips, {report.minutes:.1f} min, in {report.num_files} files"
        f"{kept}"
    )
