"""Where ingest reads and writes: folders, or mirrors of a store's; what differs between them.

On a store nothing is locked. A job is claimed by an object that is written if there is none, which
saves work and decides nothing: a job that runs twice gives the same files. The process that began
the run alone writes tables, those of `sources` last.
"""

import contextlib
import functools
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.dataset.job_records import read_done_jobs
from toolkit.dataset.manifest import compact_tables, find_part
from toolkit.dataset.mirrored import look_up_sources
from toolkit.dataset.paths import source_path
from toolkit.errors import BusyError, ToolkitError
from toolkit.ingest.runners.base import Crashes, Progress, RunJob
from toolkit.schema import Job
from toolkit.storage import write_whole
from toolkit.store.address import as_folder, find_address
from toolkit.store.cache import Cache, make_cache, open_cache
from toolkit.store.mirror import (
    INGEST,
    TABLES,
    Snapshot,
    hold_address,
    mirror_missing,
    mirror_videos,
    pull,
    push,
    take_snapshot,
)
from toolkit.store.remote import Remote

CLAIM_SECONDS = 600.0
"""A claim that was not renewed for so long counts no more."""

_RENEW_SECONDS = 120.0
_CLAIMS = ".claims"


@dataclass(frozen=True)
class Folders:
    """Folders on this machine: everything is there already.

    Attributes:
        dataset: folder to write into.
        inputs: files, folders and lists of sources.
    """

    dataset: Path
    inputs: list[Path]

    def wrap(self, run: RunJob) -> RunJob:
        """What runs a job here."""
        return run

    def record(self) -> None:
        """Make the plan that was written known to others."""

    def commit(self, progress: Progress) -> None:
        """Make a job that is done part of the dataset."""

    def refresh(self, jobs: Iterable[Job]) -> None:
        """Look at what all runs have done, once this one has; BusyError where others are at it."""

    def compact(self) -> None:
        """Let tables of many parts be read quickly."""
        compact_tables(self.dataset)


@dataclass(frozen=True)
class MirroredFolders(Folders):
    """A mirror of the dataset at an address.

    Attributes:
        address: of the dataset.
        cache: in which the mirror lies.
        owner: names this machine's runs in claims.
        before: tables that the store has.
    """

    address: str
    cache: Cache
    owner: str
    before: Snapshot

    def wrap(self, run: RunJob) -> RunJob:
        """Claim a job, run it in the mirror, upload its shard."""
        return functools.partial(run_claimed, run, self.address, self.cache, self.owner)

    def record(self) -> None:
        """Upload the records of jobs; delete what belongs to those that no longer apply."""
        now = take_snapshot(self.dataset)
        remote = Remote(self.address, self.owner)
        gone = [key for key in self.before.keys() - now.keys() if key.startswith(f"{TABLES}/jobs/")]
        remote.delete(f"shards/{Path(key).stem}.h5" for key in sorted(gone))
        push(remote, self.dataset, self.before)
        self.before.clear()
        self.before.update(now)

    def commit(self, progress: Progress) -> None:
        """Upload a job's tables once it is done, those of `sources` last."""
        job = progress.job
        if progress.kind != "job_done" or not find_part(self.dataset, "sources", job).is_file():
            return
        names = [f"{TABLES}/jobs/{job}.json", f"shards/{job}.h5"]
        names += [f"{TABLES}/{table}/{job}.parquet" for table in ("rejected", "clips", "sources")]
        files = {name: self.dataset / name for name in names}
        remote = Remote(self.address, self.owner)
        remote.upload({name: file for name, file in files.items() if file.is_file()})
        files[f"shards/{job}.h5"].unlink(missing_ok=True)
        remote.delete([_name_claim(job)])

    def refresh(self, jobs: Iterable[Job]) -> None:
        """Read the tables again; BusyError where another machine has claimed what is left."""
        with self.cache.lock():
            pull(self.cache, INGEST, self.address)
        done, remote = read_done_jobs(self.dataset), Remote(self.address)
        remote.delete(f"{_CLAIMS}/{key}" for key in remote.list(_CLAIMS) if key in done)
        claims = [_read_claim(remote, job.id) for job in jobs if job.id not in done]
        others = [claim for claim in claims if claim and not claim.startswith(self.owner)]
        if others:
            raise BusyError(
                f"{self.address}: {len(others)} jobs are claimed by others, as by "
                f"{others[0].partition(' ')[2]}: wait until that ends, then run the same again"
            )

    def compact(self) -> None:
        """Nothing: the store's tables are all that a mirror holds."""


@contextlib.contextmanager
def open_folders(out: Path | str, inputs: Iterable[Path | str]) -> Iterator[Folders]:
    """Folders to work in for what was given, whether that lies here or on a store.

    Raises:
        ValueError: an address without a bucket.
        BusyError: another run of this machine writes to the same address.
        StorageError: a store refuses or cannot be reached.
        ToolkitError: an address at which nothing lies.
    """
    address, given = find_address(out), [(find_address(path), path) for path in inputs]
    if address is None and not any(where for where, _ in given):
        yield Folders(as_folder(out), [as_folder(path) for _, path in given])
        return
    cache = open_cache()
    with contextlib.ExitStack() as stack:
        if address is not None:
            stack.enter_context(hold_address(cache, INGEST, address))
        with cache.lock():
            found = [
                as_folder(path) if where is None else _find_videos(cache, where, address)
                for where, path in given
            ]
            if address is None:
                folders = Folders(as_folder(out), found)
            else:
                folders = _mirror_dataset(cache, address, found)
        look_up_sources(folders.dataset)
        yield folders


def _find_videos(cache: Cache, address: str, dataset: str | None) -> Path:
    path = mirror_videos(cache, INGEST, address, dataset)
    if not path.exists():
        raise ToolkitError(f"{address}: no object lies there: give the address of videos")
    if path.is_file() and path.suffix.lower() in (".txt", ".lst", ".list"):
        raise ToolkitError(f"{address}: lists are read from this machine alone: download it")
    return path


def _mirror_dataset(cache: Cache, address: str, inputs: list[Path]) -> MirroredFolders:
    dataset, owner = pull(cache, INGEST, address), _read_owner(cache)
    Remote(address, owner).sweep()
    return MirroredFolders(dataset, inputs, address, cache, owner, take_snapshot(dataset))


def _read_owner(cache: Cache) -> str:
    """Names this cache, so that a run that was killed knows its claims again."""
    path = cache.root / "owner"
    if not path.is_file():
        with write_whole(path) as temporary:
            temporary.write_text(secrets.token_hex(8))
    return path.read_text()


def run_claimed(
    run: RunJob,
    address: str,
    cache: Cache,
    owner: str,
    job: Job,
    dataset: Path,
    crashes: Crashes,
    report: Callable[[Progress], None],
) -> None:
    """Run a job in the mirror unless another machine does, and upload its shard."""
    remote = Remote(address, owner)
    if remote.look_at(f"{TABLES}/sources/{job.id}.parquet") or not _claim(remote, job.id, owner):
        report(Progress("busy", job.id))
        return
    cache = make_cache(cache.root, cache.max_bytes)  # it may be another machine's
    with cache.lock():
        mirror_missing(cache, (source_path(source, dataset) for source in job.sources))
    claimed = time.monotonic()

    def renew(progress: Progress) -> None:
        nonlocal claimed
        if time.monotonic() - claimed > _RENEW_SECONDS:
            remote.write(_name_claim(job.id), _describe_owner(owner))
            claimed = time.monotonic()
        report(progress)

    run(job, dataset, crashes, renew)
    key = f"shards/{job.id}.h5"
    if (dataset / key).is_file():
        remote.upload({key: dataset / key})
        (dataset / key).unlink()


def _name_claim(job_id: str) -> str:
    return f"{_CLAIMS}/{job_id}"


def _describe_owner(owner: str) -> bytes:
    return f"{owner} {socket.gethostname()}, process {os.getpid()}".encode()


def _claim(remote: Remote, job_id: str, owner: str) -> bool:
    if remote.create(_name_claim(job_id), _describe_owner(owner)):
        return True
    found = _read_claim(remote, job_id)
    if found and not found.startswith(owner):
        return False
    remote.write(_name_claim(job_id), _describe_owner(owner))
    return True


def _read_claim(remote: Remote, job_id: str) -> str:
    """Who has claimed a job; "" where it is free, or was not renewed."""
    entry = remote.look_at(_name_claim(job_id))
    if entry is None or time.time() - entry.stamp / 1e9 > CLAIM_SECONDS:
        return ""
    for _, content in remote.read([_name_claim(job_id)]):
        return content.decode("utf-8", "replace")
    return ""
