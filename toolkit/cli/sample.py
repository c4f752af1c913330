"""`ttk sample`: talking-head videos whose truth is known."""

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from toolkit.cli.base import command, options_from, say_next
from toolkit.sample.options import SampleOptions


@command("sample", example="ttk sample videos/ --identities 5 --clips 10 --seconds 10")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@options_from(SampleOptions)
def sample(folder: Path, **fields: Any) -> None:
    """Write talking-head videos whose pose, blinks and mouth are known.

    DIR gets one folder of MP4 files per person, and truth.json. They are made from a
    public-domain portrait and synthesised speech (needs ttk's extra `sample`).
    """
    from toolkit.sample import make_samples

    options = SampleOptions(**fields)
    total = options.identities * options.clips
    with click.progressbar(length=total, label="videos", show_pos=True, file=sys.stderr) as bar:
        truth = make_samples(folder, options, progress=lambda *_: bar.update(1))
    click.echo(f"{total} videos; what is in them: {truth}")
    say_next(f"ttk ingest {shlex.quote(str(folder))} --out dataset")
