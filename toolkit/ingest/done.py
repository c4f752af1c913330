"""What a dataset has done, and where the content of its sources lies now.

A path may hold other content than it did, and content may lie at another path: a row of `sources`
is known by both.
"""

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.dataset.job_records import read_done_jobs
from toolkit.dataset.manifest import read_history, read_table
from toolkit.dataset.paths import source_path
from toolkit.ingest.sources import describe_source
from toolkit.media.packets import is_current, name_streams, same_packets
from toolkit.schema import Job, Source

Key = tuple[str, str]
"""Path and digest of a source."""


@dataclass(frozen=True)
class Done:
    """What a dataset has done.

    Attributes:
        jobs: ids of those that are done.
        sources: path -> its last row.
        rows: the same for every content that a path held.
        without_clips: which of `rows` gave no clip.
        contents: digest of every content that clips were cut from -> the path they name.
        packets: digest of content -> `packets_sha256`, where it is known.
    """

    jobs: frozenset[str]
    sources: dict[str, Source]
    rows: dict[Key, Source]
    without_clips: frozenset[Key]
    contents: dict[str, str]
    packets: dict[str, str]

    @functools.cached_property
    def digests(self) -> frozenset[str]:
        """Of all content that is done."""
        return frozenset(digest for _, digest in self.rows)


def read_done(dataset: Path, recorded: Iterable[Job]) -> Done:
    """What the manifest says; `packets` as every recorded job has it."""
    packets = {
        source.sha256: source.packets_sha256
        for job in recorded
        for source in job.sources
        if is_current(source.packets_sha256)
    }
    jobs = read_done_jobs(dataset)
    if not jobs:
        return Done(jobs, {}, {}, frozenset(), {}, packets)
    sources, rows, counts = dict[str, Source](), dict[Key, Source](), dict[Key, int]()
    for row in read_history(dataset).to_dict("records"):
        names = ("size", "mtime_ns", "sha256", "identity", "duration")
        source = Source(path=row["source"], **{name: row[name] for name in names})
        key = source.path, source.sha256
        sources[source.path] = rows[key] = source
        counts[key] = row["num_clips"]
    clips = read_table(dataset, "clips")
    clips = clips[clips["job"].isin(list(jobs))]
    contents = dict(zip(clips["source_sha256"].tolist(), clips["source"].tolist(), strict=True))
    without_clips = frozenset(key for key, count in counts.items() if not count)
    return Done(jobs, sources, rows, without_clips, contents, packets)


class Places:
    """Finds the row of what a file holds; one row is of one file.

    Args:
        done: the rows.
        now: path -> what it holds now, where that is known; other files are looked at.
        dataset: the dataset's folder.
    """

    def __init__(self, done: Done, now: Mapping[str, Source], dataset: Path) -> None:
        self._done, self._now, self._dataset = done, now, dataset
        self._taken: set[Key] = set()
        self._by_digest: defaultdict[str, list[Source]] = defaultdict(list)
        self._by_streams: defaultdict[str, list[Source]] = defaultdict(list)
        for key, row in done.rows.items():
            self._by_digest[row.sha256].append(row)
            if key not in done.without_clips:
                self._by_streams[name_streams(done.packets.get(row.sha256, ""))].append(row)

    def find(self, source: Source) -> Source | None:
        """The row of the same content: of the same path, else one whose file is gone."""
        row = self._done.rows.get((source.path, source.sha256))
        if row is not None or not source.sha256:
            return row
        return self._take(source, self._by_digest[source.sha256])

    def find_twin(self, source: Source) -> Source | None:
        """The row, with clips, of another file of the same packets or content, which is gone.

        Its path may be the source's own: only metadata, or the container, were changed in place.
        """
        known, packets = self._done.packets, source.packets_sha256
        rows = [row for row in self._by_digest[source.sha256] if not self.is_empty(row)]
        if packets:
            likely = self._by_streams[name_streams(packets)]
            rows += [row for row in likely if same_packets(known[row.sha256], packets)]
        return self._take(source, rows)

    def is_empty(self, row: Source) -> bool:
        """Whether a row gave no clip."""
        return (row.path, row.sha256) in self._done.without_clips

    def _take(self, source: Source, rows: Iterable[Source]) -> Source | None:
        name = Path(source.path).name

        def rank(row: Source) -> tuple[bool, bool, bool, str]:
            is_other = row.path != source.path
            return is_other, Path(row.path).name != name, self.is_empty(row), row.path

        free = (row for row in rows if (row.path, row.sha256) not in self._taken)
        row = min((row for row in free if not self._holds(row)), key=rank, default=None)
        if row is not None:
            self._taken.add((row.path, row.sha256))
        return row

    def _holds(self, row: Source) -> bool:
        """Whether a row's path holds the row's content, or cannot be looked at."""
        path = source_path(row, self._dataset)
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        now = self._now.get(row.path) or describe_source(path, row.path, "", row)
        return bool(now.problem) or now.sha256 == row.sha256
