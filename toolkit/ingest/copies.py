"""Which sources hold the same: the same bytes, or the same packets in another container."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace

from toolkit.ingest.done import Key
from toolkit.media.packets import name_streams, same_packets
from toolkit.schema import Source


class Copies:
    """Contents, by the path of the source that stands for each."""

    def __init__(self) -> None:
        self._paths: dict[str, str] = {}
        self._packets: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)

    def add(self, digest: str, packets: str, path: str) -> None:
        """Note what a path holds; of equal ones the first stands."""
        self._paths.setdefault(digest, path)
        self._packets[name_streams(packets)].append((packets, path))

    def find(self, source: Source) -> str | None:
        """Path of the one that holds the same as a source; by its packets never its own path."""
        if source.sha256 in self._paths:
            return self._paths[source.sha256]
        packets = source.packets_sha256
        others = self._packets.get(name_streams(packets), ())
        same = (path for known, path in others if same_packets(known, packets))
        return next((path for path in same if path != source.path), None)


def mark_duplicates(
    sources: list[Source], taken: Copies, failed: Collection[Key]
) -> Iterator[Source]:
    """Each with the path of the one that holds the same.

    That is not one of `failed`, if it can be helped: another container may be read where it failed.
    """
    first = Copies()
    found: dict[str, str | None] = {}
    for source in sorted(sources, key=lambda source: (source.path, source.sha256) in failed):
        same = None if source.problem else taken.find(source) or first.find(source)
        found[source.path] = same
        if same is None and not source.problem:
            first.add(source.sha256, source.packets_sha256, source.path)
    for source in sources:
        yield replace(source, duplicate_of=found[source.path])
