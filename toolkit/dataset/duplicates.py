"""Recordings of a dataset that hold the same, though their files differ: copies by content."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from toolkit.dataset.copies import Copy, find_copies
from toolkit.dataset.manifest import read_fingerprints


@dataclass(frozen=True, kw_only=True)
class DuplicateGroup:
    """Sources that hang together by copies.

    Attributes:
        sources: their paths, sorted.
        identities: people of the clips that are alike, sorted.
        clips: ids of these clips, sorted.
        why: `sound`, `picture` or `sound and picture`: what agrees.
        seconds: the longest stretch that two of them hold both.
    """

    sources: tuple[str, ...]
    identities: tuple[str, ...]
    clips: tuple[str, ...]
    why: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """What was found among some clips.

    Attributes:
        groups: by the first of their sources.
        pairs: clips that are alike; places are rows of the clips given.
        num_unknown: clips without a fingerprint, of which nothing is known.
    """

    groups: tuple[DuplicateGroup, ...]
    pairs: tuple[Copy, ...]
    num_unknown: int

    def join(self, names: "pd.Series[str]") -> dict[str, str]:
        """Name -> the first of the names that copies join it with: those that are joined alone.

        Args:
            names: of the clips given, in their order: sources, identities or clips.
        """
        values = names.tolist()
        return _join([(values[pair.first], values[pair.second]) for pair in self.pairs])


def find_duplicates(dataset: Path, clips: pd.DataFrame) -> Duplicates:
    """Find copies among some rows of the clips table, from the manifest alone.

    Raises:
        ManifestError: no dataset here, or a damaged file.
    """
    ids, numbers, offsets = read_fingerprints(dataset)
    lengths = np.diff(offsets)
    if clips["clip_id"].to_numpy().tolist() != ids:
        place = pd.Series(np.arange(len(ids)), ids)
        order = place[~place.index.duplicated()].reindex(clips["clip_id"]).to_numpy(np.int64)
        lengths = lengths[order]
        steps = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        numbers = numbers[np.repeat(offsets[order], lengths) + steps]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
    sources, _ = pd.factorize(clips["source_sha256"])
    pairs = tuple(find_copies(numbers, offsets, sources.astype(np.int64)))
    return Duplicates(
        groups=tuple(_group(clips, pairs)), pairs=pairs, num_unknown=int((lengths == 0).sum())
    )


def _group(clips: pd.DataFrame, pairs: Sequence[Copy]) -> list[DuplicateGroup]:
    digests = clips["source_sha256"].to_numpy()
    joined = _join([(digests[pair.first], digests[pair.second]) for pair in pairs])
    members: dict[str, list[Copy]] = {}
    for pair in pairs:
        members.setdefault(joined[digests[pair.first]], []).append(pair)
    groups = []
    for found in members.values():
        rows = clips.iloc[sorted({row for pair in found for row in (pair.first, pair.second)})]
        words = {word for pair in found for word in pair.why.split(" and ")}
        groups.append(
            DuplicateGroup(
                sources=tuple(sorted(set(rows["source"]))),
                identities=tuple(sorted(set(rows["identity"]))),
                clips=tuple(sorted(rows["clip_id"])),
                why=" and ".join(sorted(words, reverse=True)),
                seconds=max(pair.seconds for pair in found),
            )
        )
    return sorted(groups, key=lambda group: group.sources)


def _join(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Name -> the least name of those that hang together by pairs."""
    if not pairs:
        return {}
    codes, names = pd.factorize(np.array(pairs, object).ravel())
    links = (np.ones(len(pairs)), (codes[::2], codes[1::2]))
    _, labels = connected_components(coo_matrix(links, (len(names),) * 2), directed=False)
    least = pd.Series(names).groupby(labels).transform("min")
    return dict(zip(names.tolist(), least.tolist(), strict=True))
