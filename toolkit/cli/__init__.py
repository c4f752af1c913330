"""The `ttk` command: one thin file per group of commands."""

import warnings

import click

from toolkit.cli.base import Group
from toolkit.names import write_name

COMMANDS = {
    "ingest": "toolkit.cli.ingest:ingest",
    "split": "toolkit.cli.dataset:split",
    "stats": "toolkit.cli.dataset:stats",
    "report": "toolkit.cli.report:report",
    "exclude": "toolkit.cli.exclude:exclude",
    "validate": "toolkit.cli.dataset:validate",
    "ls": "toolkit.cli.ls:ls",
    "show": "toolkit.cli.show:show",
    "view": "toolkit.cli.view:view",
    "export": "toolkit.cli.export:export",
    "sample": "toolkit.cli.sample:sample",
    "transcribe": "toolkit.cli.transcribe:transcribe",
    "weights": "toolkit.cli.weights:weights",
}
"""Command -> "module:function"."""


@click.command(
    "ttk",
    cls=Group,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExample:\n  ttk ingest videos/ && ttk split && ttk stats --blinks",
)
@click.version_option(package_name="ttk")
def main() -> None:
    """Turn raw talking-head videos into training shards."""
    warnings.formatwarning = lambda message, *_, **__: f"ttk: warning: {write_name(str(message))}\n"
