"""`ttk report`: a dataset as one page to look at."""

from pathlib import Path

import click

from toolkit.cli.base import command, data_option, json_option, print_json, say_next, write_data


@command("report", example="ttk report --data dataset --out report.html")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.html",
    help="Page to write: one file that needs no network.",
)
@click.option(
    "--no-pictures", is_flag=True, help="Show no faces: the page is made from the manifest alone."
)
@data_option
@json_option
def report(out: Path | None, no_pictures: bool, data: Path, as_json: bool) -> None:
    """Write a page about a dataset: yield, split, distributions, people, best and worst clips.

    Clips stand in a table that can be sorted and searched, 2000 of them at most.
    """
    from toolkit.report.write import write_report

    if out is None and not as_json:
        raise click.UsageError("--out FILE.html, --json, or both")
    found = write_report(data, out, pictures=not no_pictures)
    if as_json:
        print_json(found.to_record())
        return
    click.echo(f"{out}: {found.whole.clips.num_clips} clips, {found.picks.num_doubtful} doubtful")
    say_next(f"ttk ls{write_data(data)}")
