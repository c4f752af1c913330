"""What every command shares: errors in one line, exit codes, options derived from dataclasses."""

import dataclasses
import json
import sys
import traceback
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from toolkit.errors import ToolkitError, explain_import

Function = TypeVar("Function", bound=Callable[..., Any])


class Command(click.Command):
    """A command with an example in its help, `--debug`, and errors as one line.

    Exit codes: 0 done, 1 data or environment error, 2 usage error.
    """

    def __init__(self, *args: Any, example: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.epilog = f"\b\nExample:\n  {example}"
        self.params.append(
            click.Option(["--debug"], is_flag=True, help="Show a traceback where it fails.")
        )

    def invoke(self, ctx: click.Context) -> Any:
        debug = ctx.params.pop("debug", False)
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click's own business
        except KeyboardInterrupt as error:
            _fail(error, 1, debug, "interrupted: nothing half-done is kept; run the same again")
        except MemoryError as error:
            _fail(error, 1, debug, f"memory is short: free some or use fewer --workers ({error})")
        except (ToolkitError, OSError) as error:
            _fail(error, 1, debug, str(error))
        except ImportError as error:
            _fail(error, 1, debug, explain_import(error))
        except ValueError as error:
            _fail(error, 2, debug, str(error))
        except Exception as error:
            text = f"unexpected {type(error).__name__}: {error}: run again with --debug"
            _fail(error, 1, debug, text)


def _fail(error: BaseException, code: int, debug: bool, text: str) -> typing.NoReturn:
    if debug:
        traceback.print_exception(error)
    text = " ".join(text.split()) or type(error).__name__
    click.echo(f"ttk: error: {text}", err=True)
    raise SystemExit(code)


def command(name: str, *, example: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Decorator: make the function a `ttk` command of this name, its docstring the help."""
    return click.command(name, cls=Command, example=example)


def data_option(function: Function) -> Function:
    """Add `--data DIR`: the dataset's folder."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=".",
        show_default=True,
        help="The dataset's folder: what `ttk ingest` was given as --out.",
    )(function)


def json_option(function: Function) -> Function:
    """Add `--json`: print one JSON document to stdout instead of tables."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(
        function
    )


def print_json(value: Any) -> None:
    """Write one JSON document to stdout."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False, default=str)
    sys.stdout.write("\n")


def options_from(options: type[Any]) -> Callable[[Function], Function]:
    """Decorator: one click option for every field of a stage's dataclass.

    A field's metadata may hold `help`, `choices` and `metavar`; its default and type do the rest.
    The command receives the fields as keyword arguments: `Options(**fields)` makes the record.
    """
    hints = typing.get_type_hints(options)

    def decorate(function: Function) -> Function:
        for field in reversed(dataclasses.fields(options)):
            function = _option(field, hints[field.name])(function)
        return function

    return decorate


def _option(field: "dataclasses.Field[Any]", hint: Any) -> Callable[[Function], Function]:
    metadata: Mapping[str, Any] = field.metadata
    flag = "--" + field.name.replace("_", "-")
    arguments: dict[str, Any] = {"help": metadata.get("help", ""), "default": field.default}
    if hint is bool:
        return click.option(flag, is_flag=True, **arguments)
    if "choices" in metadata:
        arguments["type"] = click.Choice([str(choice) for choice in metadata["choices"]])
        arguments["default"] = str(field.default)
        if hint is int:
            arguments["callback"] = lambda ctx, param, value: int(value)
    elif isinstance(hint, types.UnionType):
        (arguments["type"],) = (kind for kind in typing.get_args(hint) if kind is not type(None))
    else:
        arguments["type"] = hint
    if arguments.get("type") is Path:
        arguments["type"] = click.Path(path_type=Path)
    return click.option(
        flag, metavar=metadata.get("metavar"), show_default=field.default is not None, **arguments
    )
