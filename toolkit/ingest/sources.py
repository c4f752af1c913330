"""Sources: which files are given, which of those in folders are passed over or cannot be read."""

import codecs
import os
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from toolkit.dataset.paths import source_path
from toolkit.errors import SourceError, ToolkitError
from toolkit.media.explain import describe_refusal, find_problem
from toolkit.media.video import SUFFIXES, read_duration
from toolkit.schema import Reason, Source
from toolkit.storage import hash_file
from toolkit.store.cache import hold

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
        problems: absolute path of what cannot be read as a video would be -> why.
        excluded: absolute paths of files and folders left out, as asked.
    """

    places: dict[Path, Place]
    passed_over: Counter[str] = field(default_factory=Counter)
    problems: dict[Path, str] = field(default_factory=dict)
    excluded: frozenset[Path] = frozenset()

    def describe_passed(self) -> list[str]:
        """A sentence on what was passed over, the commonest kind first; none where nothing was."""
        kinds = self.passed_over.most_common()
        shown = [f"{number} {kind}" for kind, number in kinds[:_MAX_KINDS]]
        if rest := sum(number for _, number in kinds[_MAX_KINDS:]):
            shown.append(f"{rest} others")
        return ["passed over in the folders given: " + ", ".join(shown)] if shown else []

    def excludes(self, path: Path) -> bool:
        """Whether a path, or a folder that it lies in, was left out as asked."""
        return not self.excluded.isdisjoint((path, *path.parents))


def find_sources(inputs: Iterable[Path], exclude: Iterable[str] = ()) -> Found:
    """Every source given, sorted by path.

    Folders are searched through for the suffixes ffmpeg's containers have; a file is taken as it
    is; a `.txt`, `.lst` or `.list` file is a list of paths, one a line, relative to the list.

    Args:
        inputs: files, folders, lists.
        exclude: patterns as a shell's; a file or folder is left out whose name, or whose path
            from the folder given, fits one, or that one names as it is.

    Raises:
        ToolkitError: nothing is found, or what was named is not there.
    """
    inputs = sorted(inputs)
    search = _Search(exclude)
    for given in inputs:
        search.expand(given)
    found = search.finish()
    if not found.places and not found.problems:
        names = ", ".join(str(given) for given in inputs) or "nothing"
        over = "".join(f" ({text})" for text in found.describe_passed())
        raise ToolkitError(
            f"no videos in {names}{over}: give video files, folders of them or lists"
        )
    return found


def check_inputs(inputs: Iterable[Path]) -> None:
    """ToolkitError for the first input that does not exist: before anything is written."""
    for given in inputs:
        if not given.exists():
            raise _explain_missing(given)


def _explain_missing(path: Path) -> ToolkitError:
    is_there = path.is_symlink() or path.exists()
    text = find_problem(path) if is_there else "no such file or folder"
    return ToolkitError(f"{path}: {text}")


class _Search:
    """A walk through what is given."""

    def __init__(self, exclude: Iterable[str]) -> None:
        self._patterns = tuple(exclude)
        self._used: set[str] = set()
        self._places: dict[Path, Place] = {}
        self._passed: dict[Path, str] = {}
        self._problems: dict[Path, str] = {}
        self._excluded: set[Path] = set()

    def finish(self) -> Found:
        """What was found; warns of patterns that fit nothing."""
        for pattern in self._patterns:
            if pattern not in self._used:
                warnings.warn(f"--exclude {pattern}: fits nothing that is given", stacklevel=3)
        for path in self._places:
            self._passed.pop(path, None)  # given by itself as well
            self._problems.pop(path, None)
        passed = Counter(sorted(self._passed.values()))
        if self._excluded:
            passed["excluded"] = len(self._excluded)
        return Found(
            dict(sorted(self._places.items())),
            passed,
            dict(sorted(self._problems.items())),
            frozenset(self._excluded),
        )

    def expand(self, given: Path) -> None:
        """Take what one input names; errors as `find_sources`."""
        root = given.resolve() if ".." in given.parts else given.absolute()  # links keep names
        if given.is_dir():
            self._walk(root)
        elif not given.is_file():
            raise _explain_missing(given)
        elif given.suffix.lower() in _LISTS:
            self._expand_list(given)
        elif not self._leaves_out(root, root.parent):
            self._add(Place(root, root.parent if given.parent == Path() else None))

    def _add(self, place: Place) -> None:
        self._places[locate(place.path)] = place  # a linked file keeps its name

    def _walk(self, root: Path) -> None:
        seen: set[Path] = set()

        def refuse(error: OSError) -> None:
            folder = Path(error.filename)
            text = f"the folder cannot be searched ({error.strerror})"
            if folder == root:
                advice = "make it readable or leave it out"
                raise ToolkitError(f"{root}: {text}: {advice}") from error
            self._problems[locate(folder)] = text

        for folder, inner, names in os.walk(root, onerror=refuse, followlinks=True):
            real = Path(folder).resolve()
            if real in seen:  # links may lead in a circle
                inner.clear()
                if Path(folder).parent.resolve().is_relative_to(real):
                    self._problems[locate(Path(folder))] = f"a link to {real}, which it lies in"
                continue
            seen.add(real)
            inner[:] = sorted(self._keep(folder, inner, root))
            for name in self._keep(folder, names, root):
                self._judge(Path(folder, name), root)

    def _keep(self, folder: str, names: Iterable[str], root: Path) -> list[str]:
        """Neither hidden nor left out."""
        return [
            name
            for name in names
            if not name.startswith(".") and not self._leaves_out(Path(folder, name), root)
        ]

    def _judge(self, path: Path, root: Path) -> None:
        """Take a file of a folder, or note why not."""
        suffix = path.suffix.lower()
        try:
            is_file = path.is_file()
        except OSError:  # a link into a folder that may not be entered
            is_file = False
        if suffix in SUFFIXES and is_file:
            self._add(Place(path, root))
        elif suffix in SUFFIXES | {""} and not is_file:
            self._problems[locate(path)] = find_problem(path)
        else:
            self._passed[locate(path)] = suffix or "without a suffix"

    def _leaves_out(self, path: Path, root: Path) -> bool:
        names = path.name, path.relative_to(root).as_posix()
        fits = {
            pattern
            for pattern in self._patterns
            if any(fnmatchcase(name, os.path.normpath(pattern)) for name in names)
            or Path(os.path.abspath(pattern)) == path  # noqa: PTH100  links keep their names
        }
        self._used |= fits
        if fits:
            self._excluded.add(locate(path))
        return bool(fits)

    def _expand_list(self, given: Path) -> None:
        if text := find_problem(given):
            raise ToolkitError(f"{given}: {text}")
        lines = os.fsdecode(given.read_bytes().removeprefix(codecs.BOM_UTF8)).split("\n")
        for number, line in enumerate(lines, 1):
            if line.strip():
                path = given.parent / line.removesuffix("\r")
                if not path.exists():
                    raise ToolkitError(f"{given}, line {number}: {_explain_missing(path)}")
                if path.is_file() and path.suffix.lower() in _LISTS:
                    raise ToolkitError(
                        f"{given}, line {number}: a list cannot hold a list, as {path}"
                    )
                self.expand(path)


def locate(path: Path) -> Path:
    """Where a path leads: absolute, links in its folders resolved, its own name kept."""
    return path.parent.resolve() / path.name


# --- the files ----------------------------------------------------------------------------------


def describe_source(
    path: Path, encoded: str, identity: str, before: Source | None, problem: str = ""
) -> Source:
    """A source as the plan knows it: its digest and length, or why it cannot be read.

    Args:
        path: where it lies.
        encoded: the same as the manifest writes it.
        identity: person.
        before: what an earlier plan knew; it counts while size and time are the same.
        problem: why it cannot be read, if that is known: then it is not opened.
    """
    source = Source(path=encoded, size=0, mtime_ns=0, sha256="", identity=identity, duration=0.0)
    try:
        problem = problem or find_problem(path)
        if problem:
            return replace(source, problem=problem)
        state = path.stat()
        source = replace(source, size=state.st_size, mtime_ns=state.st_mtime_ns)
        if before and (before.size, before.mtime_ns) == (source.size, source.mtime_ns):
            return replace(source, sha256=before.sha256, duration=before.duration)
        with hold(path):
            return replace(source, sha256=hash_file(path), duration=read_duration(path))
    except OSError as error:
        problem = describe_refusal(path, error)
        return replace(source, size=0, mtime_ns=0, problem=problem)


def is_unchanged(source: Source, dataset: Path) -> bool:
    """Whether a source still has the size and time that were recorded; False if it is gone.

    One that could not be read is unchanged while that is so.
    """
    path = source_path(source, dataset)
    if source.problem:
        return bool(find_problem(path))
    try:
        stat = path.stat()
    except (OSError, ValueError):  # a name that no file can have
        return False
    return (stat.st_size, stat.st_mtime_ns) == (source.size, source.mtime_ns)


def check_unchanged(path: Path, source: Source) -> None:
    """The file must still be what was planned; SourceError `unreadable` if not."""
    problem = source.problem or find_problem(path)
    if problem:
        raise SourceError(Reason.UNREADABLE, problem)
    stat = path.stat()
    if (stat.st_size, stat.st_mtime_ns) != (source.size, source.mtime_ns):
        raise SourceError(Reason.UNREADABLE, "it changed while ingest was at work: run again")


def forget_content(source: Source, dataset: Path) -> Source:
    """The same, or without size, time and digest where the file is not what was planned.

    The next plan then takes it for one that it has not seen.
    """
    try:
        check_unchanged(source_path(source, dataset), source)
    except (OSError, SourceError):
        return replace(source, size=0, mtime_ns=0, sha256="")
    return source
