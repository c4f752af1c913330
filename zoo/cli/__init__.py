"""The `zoo` command: one thin file per group of commands."""

import warnings

import click

from toolkit.cli.base import Group
from toolkit.names import write_name

COMMANDS = {
    "list": "zoo.cli.models:list_names",
    "train": "zoo.cli.train:train",
    "finetune": "zoo.cli.train:finetune",
    "export": "zoo.cli.groups:export",
    "generate": "zoo.cli.motion:generate",
    "show": "zoo.cli.motion:show",
    "synthesize": "zoo.cli.video:synthesize",
    "reenact": "zoo.cli.video:reenact",
    "personalize": "zoo.cli.video:personalize",
    "evaluate": "zoo.cli.groups:evaluate",
    "check": "zoo.cli.groups:check",
    "sample": "zoo.cli.sample:sample",
    "study": "zoo.cli.study:study",
    "convert": "zoo.cli.groups:convert",
    "edit": "zoo.cli.groups:edit",
}
"""Command or group -> "module:function"."""


@click.command(
    "zoo",
    cls=Group,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExample:\n  zoo train deepspeech --speech speech/ --out runs/deepspeech",
)
@click.version_option(package_name="ttk")
def main() -> None:
    """Train models from the toolkit's shards, and say how good they are."""
    warnings.formatwarning = lambda message, *_, **__: f"zoo: warning: {write_name(str(message))}\n"
