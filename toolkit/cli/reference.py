"""`python -m toolkit.cli.reference` prints docs/cli.md: every command's `--help`."""

import click

from toolkit.cli import COMMANDS, main

WIDTH = 100
"""Characters in a line of help, whatever the terminal."""

_HEADER = """\
# Commands

Made from `--help` by `make docs`; a test compares it. Exit codes: 0 done, 1 trouble with data or
the environment, 2 a mistake in the command line. Errors are one line on stderr; results go to
stdout, progress to stderr.
"""


def write_reference() -> str:
    """The page as Markdown."""
    parent = _make_context(main, "ttk")
    sections = [_HEADER, _write_section("ttk", main.get_help(parent))]
    for name in COMMANDS:
        command = main.get_command(parent, name)
        if command is None:
            raise LookupError(f"ttk {name}: a command without a function")
        context = _make_context(command, name, parent)
        sections.append(_write_section(f"ttk {name}", command.get_help(context)))
    return "\n".join(sections)


def _make_context(
    command: click.Command, name: str, parent: click.Context | None = None
) -> click.Context:
    return click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )


def _write_section(title: str, text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"## {title}\n\n```text\n{lines}\n```\n"


if __name__ == "__main__":
    print(write_reference(), end="")
