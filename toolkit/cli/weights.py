"""`ttk weights`: what weights exist, where they lie, whether they are intact."""

import click

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
        _print_list(found)
    damaged = [
        str(WEIGHTS[name].path) for name, status in found.items() if status is Status.DAMAGED
    ]
    if check and damaged:
        raise SetupError(f"{', '.join(damaged)}: damaged; delete it and fetch or install it again")


def _describe(found: dict[str, Status]) -> list[dict[str, str]]:
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
            }
        )
    return rows


def _print_list(found: dict[str, Status]) -> None:
    """A block of lines for each file: paths and addresses stay whole, to be copied."""
    for name, status in found.items():
        entry = WEIGHTS[name]
        click.echo(f"{name}: {status}")
        click.echo(f"  for      {entry.purpose}")
        click.echo(f"  licence  {entry.licence}")
        click.echo(f"  from     {entry.published}")
        click.echo(f"  at       {entry.path}")
