"""What a run is trained on, in digests: it goes on with the same data alone."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Fingerprint = Mapping[str, Mapping[str, str]]
"""What they are for, as `clips to train on` -> id of each -> digest of what is read of it."""


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


_Clip = TypeVar("_Clip", bound=_Identified)

_SHOWN = 3
"""Ids that a message names."""


def digest_item(*values: npt.NDArray[np.generic] | str | float | None) -> str:
    """Twelve hexadecimal digits that stand for arrays, texts and numbers."""
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype} {value.shape} ".encode())
            digest.update(np.ascontiguousarray(value).data)
        else:
            digest.update(f"{value!r} ".encode())
    return digest.hexdigest()[:12]


def digest_parts(
    trained: Iterable[_Clip], chosen_by: Iterable[_Clip], digest: Callable[[_Clip], str]
) -> Fingerprint:
    """Of the clips of a training, by their ids, what `digest` gives of each."""
    named = {"clips to train on": trained, "clips to choose by": chosen_by}
    return {name: {clip.id: digest(clip) for clip in clips} for name, clips in named.items()}


def describe_changes(before: Fingerprint, now: Fingerprint) -> str:
    """What of the parts that both have is not the same, in words; empty: nothing."""
    parts = ((part, before[part], now[part]) for part in before if part in now)
    return "; ".join(
        f"{part}: {changes}" for part, old, new in parts if (changes := _compare(old, new))
    )


def _compare(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    found = {
        "gone": sorted(before.keys() - now.keys()),
        "new": sorted(now.keys() - before.keys()),
        "with other content": sorted(k for k in before.keys() & now.keys() if before[k] != now[k]),
    }
    return ", ".join(f"{len(ids)} {how} ({_shorten(ids)})" for how, ids in found.items() if ids)


def _shorten(ids: list[str]) -> str:
    return ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
