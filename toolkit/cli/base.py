"""What every command shares: errors in one line, exit codes, options derived from dataclasses."""

import dataclasses
import functools
import importlib
import json
import os
import shlex
import sys
import traceback
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from toolkit.errors import ToolkitError, explain_import
from toolkit.names import write_name
from toolkit.store.address import FOLDER, LIMIT, find_address

Function = TypeVar("Function", bound=Callable[..., Any])


class Command(click.Command):
    """A command with an example in its help, `--debug`, and errors as one line.

    Exit codes: 0 done, 1 data or environment error, 2 usage error, 3 another process still works
    at it.
    """

    on_store: frozenset[str] = frozenset()
    """Further parameters that may be addresses of a store."""

    def __init__(self, *args: Any, example: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.epilog = f"\b\nExample:\n  {example}"
        self.params.append(
            click.Option(["--debug"], is_flag=True, help="Show a traceback where it fails.")
        )

    def invoke(self, ctx: click.Context) -> Any:
        debug = ctx.params.pop("debug", False)
        program = ctx.find_root().command.name
        try:
            self._check_addresses(ctx)
            os.environ.update(ctx.meta.get(_CACHE, {}))  # workers read it there as well
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click's own business
        except KeyboardInterrupt as error:
            text = "interrupted: nothing half-done is kept; run the same again"
            _fail(program, error, 1, debug, text)
        except MemoryError as error:
            text = f"memory is short: free some or use fewer --workers ({error})"
            _fail(program, error, 1, debug, text)
        except (ToolkitError, OSError) as error:
            _fail(program, error, getattr(error, "exit_code", 1), debug, str(error))
        except ImportError as error:
            _fail(program, error, 1, debug, explain_import(error))
        except ValueError as error:
            _fail(program, error, 2, debug, str(error))
        except Exception as error:
            text = f"unexpected {type(error).__name__}: {error}: run again with --debug"
            _fail(program, error, 1, debug, text)

    def _check_addresses(self, ctx: click.Context) -> None:
        """ValueError for an address where only files of this machine are read or written."""
        for param in self.params:
            value = ctx.params.get(param.name or "")
            if param.name in ON_STORE | self.on_store:
                continue
            for each in value if isinstance(value, tuple) else (value,):
                if isinstance(each, Path) and find_address(each) is not None:
                    name = max(param.opts, key=len)
                    raise ValueError(
                        f"{name} {find_address(each)}: takes files of this machine alone: see "
                        "docs/stores.md for what stores are read and written by"
                    )


class Group(click.Group):
    """Commands by name -> "module:function"; each module is imported when it is first needed."""

    def __init__(self, *args: Any, table: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the table's order."""
        return list(self._table)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command or group of a name."""
        if name not in self._table:
            return None
        module, function = self._table[name].split(":")
        found: click.Command = getattr(importlib.import_module(module), function)
        return found


def _fail(
    program: str | None, error: BaseException, code: int, debug: bool, text: str
) -> typing.NoReturn:
    if debug:
        traceback.print_exception(error)
    text = write_name(" ".join(_name_addresses(text).split())) or type(error).__name__
    click.echo(f"{program}: error: {text}", err=True)
    raise SystemExit(code)


def _name_addresses(text: str) -> str:
    """Addresses in place of their mirrors, where this process has looked at a store."""
    cache = sys.modules.get("toolkit.store.cache")
    return text if cache is None else str(cache.name_addresses(text))


def command(name: str, *, example: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Decorator: make the function a command of this name, its docstring the help."""
    return click.command(name, cls=Command, example=example)


def data_option(function: Function) -> Function:
    """Add `--data DIR`: the dataset's folder, or its address; the function gets a mirror."""
    return _add_data(function, writes=False)


def data_option_to_write(function: Function) -> Function:
    """The same where the function writes tables: to a store they go when it has ended well."""
    return _add_data(function, writes=True)


def _add_data(function: Function, *, writes: bool) -> Function:
    @functools.wraps(function)
    def run(*args: Any, data: Path, **options: Any) -> Any:
        from toolkit.store.mirror import open_dataset

        with open_dataset(data, writes=writes) as folder:
            return function(*args, data=folder, **options)

    option = click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=".",
        show_default=True,
        help="The dataset's folder, or its address: what `ttk ingest` was given as --out.",
    )
    return option(run)  # type: ignore[return-value]


def cache_options(function: Function) -> Function:
    """Add `--cache DIR` and `--cache-gb N`, in place of variables of the environment."""
    size = click.option(
        "--cache-gb",
        type=float,
        metavar="GB",
        help="What the cache may hold; by default 50.",
        callback=_note_cache,
        expose_value=False,
    )
    folder = click.option(
        "--cache",
        type=click.Path(file_okay=False),
        metavar="DIR",
        help="Where files of a store lie on this disk; by default ~/.cache/ttk/stores.",
        callback=_note_cache,
        expose_value=False,
    )
    return folder(size(function))


def _note_cache(ctx: click.Context, param: click.Parameter, value: object) -> None:
    """Keep it for when the command runs."""
    if value is not None:
        name = {"cache": FOLDER, "cache_gb": LIMIT}[str(param.name)]
        ctx.meta.setdefault(_CACHE, {})[name] = str(value)


_CACHE = "ttk.cache"


ON_STORE = frozenset({"data", "shards"})
"""Options of every command that may be addresses of a store."""


def json_option(function: Function) -> Function:
    """Add `--json`: print one JSON document to stdout instead of tables."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(
        function
    )


def print_json(value: Any) -> None:
    """Write one JSON document to stdout."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False, default=str)
    sys.stdout.write("\n")


def say_next(command: str) -> None:
    """Write to stderr the command that follows this one; commands leave it out with --json."""
    click.echo(f"next: {_name_addresses(command)}", err=True)


def write_data(data: Path) -> str:
    """` --data DIR` as a command line needs it, quoted; nothing for the current folder."""
    return "" if data == Path() else f" --data {shlex.quote(str(data))}"


def choose_split(dataset: Path) -> str:
    """The command that splits a dataset's clips; its statistics where they are too few for that."""
    from toolkit.dataset.manifest import read_table
    from toolkit.dataset.options import GROUPS, PARTS

    clips = read_table(dataset, "clips")
    ways = [by for by in ("source", "clip") if clips[GROUPS[by]].nunique() >= len(PARTS)]
    command = {"source": "split", "clip": "split --by clip"}[ways[0]] if ways else "stats"
    return f"ttk {command}{write_data(dataset)}"


def options_from(options: type[Any]) -> Callable[[Function], Function]:
    """Decorator: one click option for every field of a stage's dataclass that has a help text.

    A field's metadata may hold `help`, `choices` (or `one_of`; "" in it: none of them) and
    `metavar`; its default and type do the rest: none is required, a tuple may be given several
    times.
    Those without a default stand first, then the record's own before those of its bases.
    A name that ends in _ would be a word of Python's; the option goes without it.
    The command receives the fields as keyword arguments: `Options(**fields)` makes the record.
    """
    hints = typing.get_type_hints(options)
    known = {field.name: field for field in dataclasses.fields(options)}
    names = dict.fromkeys(
        name for kind in options.__mro__ for name in vars(kind).get("__annotations__", {})
    )
    fields = [known[name] for name in names if "help" in known[name].metadata]
    fields.sort(key=lambda field: field.default is not dataclasses.MISSING)

    def decorate(function: Function) -> Function:
        for field in reversed(fields):
            function = _option(field, hints[field.name])(function)
        return function

    return decorate


def _option(field: "dataclasses.Field[Any]", hint: Any) -> Callable[[Function], Function]:
    metadata: Mapping[str, Any] = field.metadata
    flag = "--" + field.name.rstrip("_").replace("_", "-")
    required = field.default is dataclasses.MISSING
    arguments: dict[str, Any] = {"help": metadata["help"], "required": required}
    if not required:
        arguments["default"] = field.default
    if hint is bool:
        return click.option(flag, field.name, is_flag=True, **arguments)
    if choices := metadata.get("choices") or metadata.get("one_of"):
        arguments["type"] = click.Choice([str(choice) for choice in choices if choice != ""])
        arguments["default"] = str(field.default) or None
        if hint is int or "" in choices:
            arguments["callback"] = lambda ctx, param, value: hint(value or "")
    else:
        arguments["multiple"] = typing.get_origin(hint) is tuple
        arguments["type"] = _find_type(hint)
    shown = not required and field.default not in (None, (), "")
    arguments |= {"metavar": metadata.get("metavar"), "show_default": shown}
    return click.option(flag, field.name, **arguments)


def _find_type(hint: Any) -> Any:
    """What click calls the type of `X`, `X | None` and `tuple[X, ...]`."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is tuple:
        ignored = (type(None), ...)
        (hint,) = (kind for kind in typing.get_args(hint) if kind not in ignored)
    return click.Path(path_type=Path) if hint is Path else hint
