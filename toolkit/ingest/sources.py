"""Sources: which files are given, how the manifest writes their paths, who is in them."""

import codecs
import csv
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from toolkit.errors import ManifestError, ToolkitError
from toolkit.media.video import SUFFIXES
from toolkit.schema import Source

_LISTS = frozenset({".txt", ".lst", ".list"})


def find_sources(inputs: Iterable[Path]) -> dict[Path, str]:
    """Absolute path of every source given, and the name of the folder it lies in ("" if none).

    Folders are searched through for the suffixes ffmpeg's containers have; a file is taken as it
    is; a `.txt`, `.lst` or `.list` file is a list of paths, one a line, relative to the list.
    """
    found: dict[Path, str] = {}
    inputs = sorted(inputs)
    for given in inputs:
        for path, folder in _expand(given):
            found[path.parent.resolve() / path.name] = folder  # a linked file keeps its name
    if not found:
        names = ", ".join(str(given) for given in inputs) or "nothing"
        raise ToolkitError(f"no videos in {names}: give video files, folders of them or lists")
    return dict(sorted(found.items()))


def check_inputs(inputs: Iterable[Path]) -> None:
    """ToolkitError for the first input that does not exist: before anything is written."""
    for given in inputs:
        if not given.exists():
            raise ToolkitError(f"{given}: no such file or folder")


def _expand(given: Path) -> Iterator[tuple[Path, str]]:
    if given.is_dir():
        seen: set[Path] = set()
        for folder, inner, names in os.walk(given, onerror=_refuse_folder, followlinks=True):
            real = Path(folder).resolve()
            if real in seen:  # links may lead in a circle
                inner.clear()
                continue
            seen.add(real)
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            inside = Path(folder).relative_to(given).name
            for path in (Path(folder, name) for name in names if not name.startswith(".")):
                if path.suffix.lower() in SUFFIXES and path.is_file():
                    yield path, inside
    elif not given.is_file():
        raise ToolkitError(f"{given}: no such file or folder")
    elif given.suffix.lower() in _LISTS:
        yield from _expand_list(given)
    else:
        yield given, given.parent.name


def _expand_list(given: Path) -> Iterator[tuple[Path, str]]:
    check_readable(given)
    lines = os.fsdecode(given.read_bytes().removeprefix(codecs.BOM_UTF8)).split("\n")
    for number, line in enumerate(lines, 1):
        if line.strip():
            path = given.parent / line.removesuffix("\r")
            if not path.exists():
                raise ToolkitError(f"{given}, line {number}: {path}: no such file or folder")
            if path.is_file() and path.suffix.lower() in _LISTS:
                raise ToolkitError(f"{given}, line {number}: a list cannot hold a list, as {path}")
            yield from _expand(path)


def _refuse_folder(error: OSError) -> NoReturn:
    raise ToolkitError(
        f"{error.filename}: cannot be searched ({error.strerror}): make it readable or leave it out"
    ) from error


# --- paths and files ----------------------------------------------------------------------------


def encode_path(path: Path, dataset: Path) -> str:
    """A source's path as the manifest writes it: from the dataset's folder, always UTF-8."""
    return _encode(os.path.relpath(path, dataset.resolve()))


def _encode(text: str) -> str:
    r"""UTF-8 whatever the bytes: those that are not stand as `\xNN`, a backslash as two."""
    return os.fsencode(text.replace("\\", "\\\\")).decode("utf-8", "backslashreplace")


def decode_path(text: str) -> str:
    """From the manifest's words to the path from the dataset's folder: inverse of `encode_path`."""

    def restore(match: re.Match[str]) -> str:
        return "\\" if match[1] is None else os.fsdecode(bytes.fromhex(match[1]))

    return re.sub(r"\\(?:\\|x([0-9a-f]{2}))", restore, text)


def source_path(source: Source, dataset: Path) -> Path:
    """Where a source lies: the inverse of `encode_path`."""
    return dataset / decode_path(source.path)


def is_unchanged(source: Source, dataset: Path) -> bool:
    """Whether a source still has the size and time that were recorded; False if it is gone."""
    try:
        stat = source_path(source, dataset).stat()
    except OSError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (source.size, source.mtime_ns)


def check_unchanged(path: Path, source: Source) -> None:
    """The file must still be what was planned; ToolkitError if not."""
    try:
        stat = path.stat()
    except OSError as error:
        raise ToolkitError(f"{path}: cannot be read any more ({error.strerror})") from error
    if (stat.st_size, stat.st_mtime_ns) != (source.size, source.mtime_ns):
        raise ToolkitError(f"{path}: changed since the plan was made: run again")


def check_readable(path: Path) -> os.stat_result:
    """State of a file that can be read; ToolkitError if it cannot."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno())
    except OSError as error:
        text = f"{path}: cannot be read ({error.strerror}): make it readable or leave it out"
        raise ToolkitError(text) from error


# --- identities ---------------------------------------------------------------------------------


def name_identities(found: Mapping[Path, str], rule: str) -> dict[Path, str]:
    """Path -> identity.

    Args:
        found: path -> name of its folder, as `find_sources` gives it.
        rule: `parent` (the folder), `stem` (of the file) or a CSV with columns source, identity.

    Raises:
        ToolkitError: the table is missing or damaged, or lacks a source.
    """
    if rule == "parent":
        return {path: _encode(folder or path.stem) for path, folder in found.items()}
    if rule == "stem":
        return {path: _encode(path.stem) for path in found}
    table = _read_identities(Path(rule))
    return {path: _look_up(path, table, rule) for path in found}


def _read_identities(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise ToolkitError(
            f"{path}: no such file (--identity takes a table with the columns source, identity)"
        )
    check_readable(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{path}: no table in UTF-8 ({error}): save it as CSV UTF-8") from error
    if not rows or not {"source", "identity"} <= set(rows[0]):
        raise ManifestError(f"{path}: needs a header line with the columns source and identity")
    for row in rows:
        if not row["source"] or not row["identity"]:
            raise ManifestError(f"{path}: a row without source or identity: {row}")
    return {row["source"]: row["identity"] for row in rows}


def _look_up(path: Path, table: Mapping[str, str], rule: str) -> str:
    """By the longest tail of the path that the table names, or by the stem."""
    tails = ["/".join(path.parts[k:]).replace("//", "/") for k in range(len(path.parts))]
    for key in (*tails, path.stem):
        if key in table:
            return table[key]
    raise ToolkitError(f"{path}: {rule} has no row for it: add one, by file name or by path")
