"""Sources: which files are given, which of those in folders are passed over."""

import codecs
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from toolkit.dataset.paths import source_path
from toolkit.errors import ToolkitError
from toolkit.media.video import SUFFIXES
from toolkit.schema import Source

_LISTS = frozenset({".txt", ".lst", ".list"})
_MAX_KINDS = 8


@dataclass(frozen=True)
class Place:
    """How a source was reached: its path as given, links kept; the folder given, if one was.

    A bare file name is one of the current folder.
    """

    path: Path
    root: Path | None = None

    @property
    def depth(self) -> int:
        """Folders between the one given and the file."""
        return len(self.path.relative_to(self.root).parts) - 1 if self.root else 0


@dataclass(frozen=True)
class Found:
    """What is given.

    Attributes:
        places: absolute path of every source -> how it was reached.
        passed_over: kind of file in the folders given -> how many were no source.
    """

    places: dict[Path, Place]
    passed_over: Counter[str] = field(default_factory=Counter)

    def describe_passed(self) -> list[str]:
        """A sentence on what was passed over, the commonest kind first; none where nothing was."""
        kinds = self.passed_over.most_common()
        shown = [f"{number} {kind}" for kind, number in kinds[:_MAX_KINDS]]
        if rest := sum(number for _, number in kinds[_MAX_KINDS:]):
            shown.append(f"{rest} others")
        return ["passed over in the folders given: " + ", ".join(shown)] if shown else []


def find_sources(inputs: Iterable[Path]) -> Found:
    """Every source given, sorted by path.

    Folders are searched through for the suffixes ffmpeg's containers have; a file is taken as it
    is; a `.txt`, `.lst` or `.list` file is a list of paths, one a line, relative to the list.
    """
    found: dict[Path, Place] = {}
    passed: dict[Path, str] = {}
    inputs = sorted(inputs)
    for given in inputs:
        for place in _expand(given, passed):
            path = place.path
            found[path.parent.resolve() / path.name] = place  # a linked file keeps its name
    for path in found:
        passed.pop(path, None)  # given by itself as well
    result = Found(dict(sorted(found.items())), Counter(sorted(passed.values())))
    if not found:
        names = ", ".join(str(given) for given in inputs) or "nothing"
        over = "".join(f" ({text})" for text in result.describe_passed())
        raise ToolkitError(
            f"no videos in {names}{over}: give video files, folders of them or lists"
        )
    return result


def check_inputs(inputs: Iterable[Path]) -> None:
    """ToolkitError for the first input that does not exist: before anything is written."""
    for given in inputs:
        if not given.exists():
            raise _explain_missing(given)


def _explain_missing(path: Path) -> ToolkitError:
    if path.is_symlink():
        return ToolkitError(
            f"{path}: a link to {path.readlink()}, which is not there: get it first"
        )
    return ToolkitError(f"{path}: no such file or folder")


def _expand(given: Path, passed: dict[Path, str]) -> Iterator[Place]:
    root = given.resolve() if ".." in given.parts else given.absolute()  # links keep their names
    if given.is_dir():
        seen: set[Path] = set()
        for folder, inner, names in os.walk(root, onerror=_refuse_folder, followlinks=True):
            real = Path(folder).resolve()
            if real in seen:  # links may lead in a circle
                inner.clear()
                continue
            seen.add(real)
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            for path in (Path(folder, name) for name in names if not name.startswith(".")):
                if path.suffix.lower() in SUFFIXES and path.is_file():
                    yield Place(path, root)
                else:
                    passed[real / path.name] = _name_kind(path)
    elif not given.is_file():
        raise _explain_missing(given)
    elif given.suffix.lower() in _LISTS:
        yield from _expand_list(given, passed)
    else:
        yield Place(root, root.parent if given.parent == Path() else None)


def _name_kind(path: Path) -> str:
    if not path.exists():
        return "links to nothing"
    if not path.is_file():
        return "not files"
    return path.suffix.lower() or "without a suffix"


def _expand_list(given: Path, passed: dict[Path, str]) -> Iterator[Place]:
    check_readable(given)
    lines = os.fsdecode(given.read_bytes().removeprefix(codecs.BOM_UTF8)).split("\n")
    for number, line in enumerate(lines, 1):
        if line.strip():
            path = given.parent / line.removesuffix("\r")
            if not path.exists():
                raise ToolkitError(f"{given}, line {number}: {_explain_missing(path)}")
            if path.is_file() and path.suffix.lower() in _LISTS:
                raise ToolkitError(f"{given}, line {number}: a list cannot hold a list, as {path}")
            yield from _expand(path, passed)


def _refuse_folder(error: OSError) -> NoReturn:
    raise ToolkitError(
        f"{error.filename}: cannot be searched ({error.strerror}): make it readable or leave it out"
    ) from error


# --- the files ----------------------------------------------------------------------------------


def is_unchanged(source: Source, dataset: Path) -> bool:
    """Whether a source still has the size and time that were recorded; False if it is gone."""
    try:
        stat = source_path(source, dataset).stat()
    except (OSError, ValueError):  # a name that no file can have
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
