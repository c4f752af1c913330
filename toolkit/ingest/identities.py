"""Identities: who is in a source, by its folder, its name or a table; what looks wrong there."""

import csv
import unicodedata
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from toolkit.dataset.paths import encode_name
from toolkit.errors import ManifestError, ToolkitError
from toolkit.ingest.options import parse_level
from toolkit.ingest.sources import Place
from toolkit.media.explain import find_problem
from toolkit.names import find_similar, names_no_person, normalise_name

_KEYS = ("source", "file", "path", "folder", "person")
_SHOWN = 3
_MIN_SINGLE = 3


def name_identities(places: Mapping[Path, Place], rule: str) -> dict[Path, str]:
    """Path -> identity, in one spelling.

    Args:
        places: path -> how it was reached, as `find_sources` gives it.
        rule: `parent` (the folder), `folder:N` (the N-th folder above the file: 1 is the one that
            it lies in), `stem` (of the file) or a CSV with the columns source, identity.

    Raises:
        ToolkitError: no such folder above a source; or the table is missing or damaged,
            contradicts itself or lacks a source.
    """
    if rule == "parent":
        mixed = {place.root for place in places.values() if place.depth}
        names = {path: _name_by_folder(place, mixed) for path, place in places.items()}
    elif (level := parse_level(rule)) is not None:
        names = {path: _name_by_level(place.path, level) for path, place in places.items()}
    elif rule == "stem":
        names = {path: path.stem for path in places}
    else:
        return _Table(Path(rule)).name_all(places)
    return {path: _spell(name) for path, name in names.items()}


def _spell(name: str) -> str:
    return normalise_name(encode_name(name)) or "unnamed"


def _name_by_folder(place: Place, mixed: set[Path | None]) -> str:
    """The folder; the stem where the folder given holds people's folders or names no person."""
    folder = place.path.parent
    if place.root == folder and (folder in mixed or names_no_person(folder.name)):
        return place.path.stem
    return folder.name or place.path.stem


def _name_by_level(path: Path, level: int) -> str:
    if level >= len(path.parts) - 1:
        raise ToolkitError(
            f"{path}: has no {level} folders above it: --identity folder:1 is its own"
        )
    return path.parents[level - 1].name


# --- what looks wrong ---------------------------------------------------------------------------


def find_doubts(places: Mapping[Path, Place], names: Mapping[Path, str], rule: str) -> list[str]:
    """Sentences about identities that may be no people, where folders name them."""
    if rule != "parent" and parse_level(rule) is None:
        return []
    doubts = [*_doubt_words(names.values()), *_doubt_single(names.values())]
    if rule == "parent":
        doubts += [*_doubt_depth(places), *_doubt_roots(places, names)]
    if doubts:
        doubts[-1] += _describe_levels(places, rule)
    return doubts


def _doubt_words(names: Iterable[str]) -> Iterator[str]:
    if wrong := sorted({name for name in names if names_no_person(name)}):
        yield f"identities that look like no people: {_shorten(wrong)}"


def _doubt_single(names: Iterable[str]) -> Iterator[str]:
    counts = Counter(names)
    if len(counts) >= _MIN_SINGLE and set(counts.values()) == {1}:
        yield f"each of the {len(counts)} identities has one video ({_shorten(sorted(counts))})"


def _doubt_depth(places: Mapping[Path, Place]) -> Iterator[str]:
    deep = [place for place in places.values() if place.root and place.depth > 1]
    if deep:
        first = deep[0].path
        yield (
            f"{len(deep)} videos lie {deep[0].depth} or more folders deep; the innermost is taken "
            f"for the person: {first.parent.name} of {first.relative_to(deep[0].root or '/')}"
        )


def _doubt_roots(places: Mapping[Path, Place], names: Mapping[Path, str]) -> Iterator[str]:
    """A folder of several videos, given alone, that is taken for one person."""
    inside = [path for path, place in places.items() if place.root == place.path.parent]
    if len(inside) == len(places) > 1 and len(who := {names[path] for path in inside}) == 1:
        yield (
            f"all {len(inside)} videos are taken for one person, {who.pop()}, by the name of their "
            "folder; with --identity stem each is another"
        )


def _describe_levels(places: Mapping[Path, Place], rule: str) -> str:
    """What the levels within the folders given would name."""
    deepest = max((place.depth + 1 for place in places.values() if place.root), default=1)
    levels = [level for level in range(1, deepest + 1) if level != (parse_level(rule) or 1)]
    gives = []
    for level in levels:
        inside = [p.path for p in places.values() if len(p.path.parts) > level + 1]
        names = sorted({_spell(path.parents[level - 1].name) for path in inside})
        if not all(map(names_no_person, names)):
            gives.append(f"--identity folder:{level} gives {_shorten(names)}")
    return f" ({'; '.join([*gives, 'a table, --identity FILE.csv, names each'])})"


def _shorten(names: list[str]) -> str:
    more = f" … ({len(names)})" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def find_near_equal(names: Iterable[str]) -> list[str]:
    """A sentence for all identities that nearly have one name; none where there are none."""
    groups = [" / ".join(map(repr, group)) for group in find_similar(names)]
    if not groups:
        return []
    return [f"identities of nearly the same name, taken for different people: {_shorten(groups)}"]


# --- tables -------------------------------------------------------------------------------------


class _Table:
    """Identities by file, folder or person, from a CSV."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names = self._read()

    def name_all(self, places: Mapping[Path, Place]) -> dict[Path, str]:
        """Path -> identity; warns of rows that match nothing, and of names that stand for many."""
        names: dict[Path, str] = {}
        used: defaultdict[str, set[Path]] = defaultdict(set)
        by_file: set[str] = set()
        for path in places:
            keys = [*_list_files(path), *_list_folders(path)]
            key = next((key for key in keys if key in self._names), None)
            if key is None:
                raise ToolkitError(
                    f"{path}: {self._path} has no row for it: add one, by file name, folder or path"
                )
            names[path] = self._names[key]
            used[key].add(path.parent)
            if key in _list_files(path):
                by_file.add(key)
        self._warn(used, by_file)
        return names

    def _warn(self, used: Mapping[str, set[Path]], by_file: set[str]) -> None:
        if idle := sorted(self._names.keys() - used.keys()):
            text = f"{self._path}: {len(idle)} rows match no video: {_shorten(idle)}"
            warnings.warn(text, stacklevel=5)
        if many := sorted(key for key in by_file if len(used[key]) > 1):
            text = f"{self._path}: files of several folders go by one row: {_shorten(many)}"
            warnings.warn(text, stacklevel=5)

    def _read(self) -> dict[str, str]:
        names: dict[str, str] = {}
        for key, identity in self._read_rows():
            if names.setdefault(key, identity) != identity:
                raise ManifestError(
                    f"{self._path}: {key} is {names[key]} in one row and {identity} in another"
                )
        return names

    def _read_rows(self) -> Iterator[tuple[str, str]]:
        path = self._path
        if not path.is_file():
            raise ToolkitError(
                f"{path}: no such file (--identity takes a table with the columns source, identity)"
            )
        if text := find_problem(path):
            raise ToolkitError(f"{path}: {text}")
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
        except (UnicodeDecodeError, csv.Error) as error:
            raise ManifestError(
                f"{path}: no table in UTF-8 ({error}): save it as CSV UTF-8"
            ) from error
        head = [cell.strip().lower() for cell in rows[0]] if rows else []
        key = next((head.index(name) for name in _KEYS if name in head), None)
        if key is None or "identity" not in head or len(rows) < 2:
            raise ManifestError(f"{path}: needs a header line with the columns source and identity")
        for row in rows[1:]:
            cells = dict(enumerate(row))
            source = _spell_key(cells.get(key, ""))
            identity = normalise_name(cells.get(head.index("identity"), ""))
            if not source or not identity:
                raise ManifestError(f"{path}: a row without source or identity: {row}")
            yield source, identity


def _spell_key(text: str) -> str:
    key = unicodedata.normalize("NFC", text.strip())
    while key.startswith("./"):
        key = key[2:]
    return key.rstrip("/")


def _list_files(path: Path) -> list[str]:
    """What may name a file: tails of its path, the longest first, then its stem."""
    return [*_list_tails(path), _spell_key(path.stem)]


def _list_folders(path: Path) -> Iterator[str]:
    """What may name its folders: tails of their paths, the nearest folder first."""
    for folder in path.parents:
        yield from _list_tails(folder)


def _list_tails(path: Path) -> list[str]:
    tails = ["/".join(path.parts[k:]).replace("//", "/") for k in range(len(path.parts))]
    return [_spell_key(tail) for tail in tails if tail.strip("/")]
