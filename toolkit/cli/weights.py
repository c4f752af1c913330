"""`ttk weights`: what weights exist, where they lie, whether they are intact."""

import click
from rich.console import Console
from rich.table import Table

from toolkit.cli.base import command, json_option, print_json
from toolkit.errors import SetupError
from toolkit.weights import WEIGHTS, Status, check_weights, fetch_weights


@command("weights", example="ttk weights --fetch deepspeech_librispeech")
@click.option(
    "--fetch", metavar="NAME", type=click.Choice(list(WEIGHTS)), help="Download one file first."
)
@click.option("--check", is_flag=True, help="Exit with 1 if a file that is present is damaged.")
@json_option
def weights(fetch: str | None, check: bool, as_json: bool) -> None:
    """List the weights files: licence, where published, present or not, intact or not."""
    if fetch is not None:
        click.echo(f"{fetch}: {fetch_weights(fetch)}", err=True)
    found = {name: check_weights(name) for name in WEIGHTS}
    if as_json:
        print_json(_describe(found))
    else:
        _print_table(found)
    damaged = [
        str(WEIGHTS[name].path) for name, status in found.items() if status is Status.DAMAGED
    ]
    if check and damaged:
        raise SetupError(f"{', '.join(damaged)}: damaged; delete it and fetch or install it again")


def _describe(found: dict[str, Status]) -> list[dict[str, str | None]]:
    rows = []
    for name, status in found.items():
        entry = WEIGHTS[name]
        rows.append(
            {
                "name": name,
                "status": status.value,
                "purpose": entry.purpose,
                "licence": entry.licence,
                "published": entry.published,
                "path": str(entry.path),
                "note": entry.stand_in if status is Status.STAND_IN else None,
            }
        )
    return rows


def _print_table(found: dict[str, Status]) -> None:
    table = Table("name", "status", "what it is", show_lines=True)
    for name, status in found.items():
        entry = WEIGHTS[name]
        note = f"{status}: {entry.stand_in}" if status is Status.STAND_IN else str(status)
        lines = (
            f"for: {entry.purpose}",
            f"licence: {entry.licence}",
            f"from: {entry.published}",
            f"at: {entry.path}",
        )
        table.add_row(name, note, "\n".join(lines))
    Console(markup=False, highlight=False).print(table)
