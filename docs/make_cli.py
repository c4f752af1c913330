"""`python docs/make_cli.py > docs/cli.md`: the `--help` of every command of `ttk` and `zoo`."""

from collections.abc import Iterator

import click

import toolkit.cli
import zoo.cli

WIDTH = 100
"""Characters in a line of help, whatever the terminal."""

_HEADER = """\
# Commands

Made from `--help` by `make docs`; a test compares it. Exit codes: 0 done, 1 trouble with data or
the environment, 2 a mistake in the command line; a training that a signal stopped: 128 + its
number. Errors are one line on stderr; results go to stdout, progress to stderr.
"""


def write_reference() -> str:
    """The page as Markdown."""
    programs = (toolkit.cli.main, zoo.cli.main)
    sections = [section for program in programs for section in _write_sections(program)]
    return "\n".join([_HEADER, *sections])


def _write_sections(command: click.Command, parent: click.Context | None = None) -> Iterator[str]:
    """The command's section, then those of the commands in it."""
    context = click.Context(
        command,
        info_name=command.name,
        parent=parent,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    lines = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield f"## {context.command_path}\n\n```text\n{lines}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is None:
                raise LookupError(f"{context.command_path} {name}: a command without a function")
            yield from _write_sections(found, context)


if __name__ == "__main__":
    print(write_reference(), end="")
