"""The `ttk` command: one thin file per group of commands."""

import importlib
import warnings

import click

COMMANDS = {
    "ingest": "toolkit.cli.ingest:ingest",
    "split": "toolkit.cli.dataset:split",
    "stats": "toolkit.cli.dataset:stats",
    "validate": "toolkit.cli.dataset:validate",
    "show": "toolkit.cli.show:show",
    "sample": "toolkit.cli.sample:sample",
    "weights": "toolkit.cli.weights:weights",
}
"""Command -> "module:function"; a command's module is imported when it is first needed."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, function = COMMANDS[name].split(":")
        command: click.Command = getattr(importlib.import_module(module), function)
        return command


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExample:\n  ttk ingest videos/ && ttk split && ttk stats --blinks",
)
@click.version_option(package_name="ttk")
def main() -> None:
    """Turn raw talking-head videos into training shards."""
    warnings.formatwarning = lambda message, *_, **__: f"ttk: warning: {message}\n"
