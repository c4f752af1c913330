"""Identities that a split parts, though they may be one person."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

import pandas as pd

from toolkit.names import find_similar, names_no_person, normalise_name

_SHOWN = 3


def find_parted(clips: pd.DataFrame) -> list[str]:
    """Sentences about identities of different parts that may be one person.

    Args:
        clips: rows of `clips/` with a column `part`.
    """
    parts = {str(name): frozenset(of.tolist()) for name, of in clips.groupby("identity")["part"]}
    wrong = sorted(filter(names_no_person, parts))
    doubts = [f"Identities that look like no people: {_shorten(wrong)}"] if wrong else []
    return [*doubts, *_find_by_name(parts), *_find_by_folder(clips, parts)]


def _find_by_name(parts: dict[str, frozenset[str]]) -> Iterator[str]:
    groups = [group for group in find_similar(parts) if _is_parted(group, parts)]
    if groups:
        text = _shorten([" / ".join(map(repr, group)) for group in groups])
        yield f"Identities of nearly the same name: {text}"


def _find_by_folder(clips: pd.DataFrame, parts: dict[str, frozenset[str]]) -> Iterator[str]:
    """Identities named by folders that lie, several each, in folders that may be the people."""
    inside: defaultdict[PurePosixPath, set[str]] = defaultdict(set)
    pairs = clips[["source", "identity"]].drop_duplicates().itertuples(index=False)
    for name, identity in {(source.rpartition("/")[0], who) for source, who in pairs}:
        folder = PurePosixPath(name)
        if normalise_name(folder.name) == normalise_name(identity):
            inside[folder.parent].add(identity)
    people = {f: names for f, names in inside.items() if not names_no_person(f.name)}
    parted = [f.name for f, names in sorted(people.items()) if _is_parted(tuple(names), parts)]
    if len(people) > 1 and parted:
        yield (
            f"Identities of one folder: {_shorten(parted)}; if it is a person, ingest anew with "
            "--identity folder:2"
        )


def _is_parted(names: tuple[str, ...], parts: dict[str, frozenset[str]]) -> bool:
    return len(names) > 1 and len(frozenset.union(*(parts[name] for name in names))) > 1


def _shorten(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" … ({len(names)})" if len(names) > _SHOWN else "")
