"""Sources of a dataset on a store, looked up so that what is there lies beside its mirror."""

import itertools
from pathlib import Path

from toolkit.dataset.job_records import read_jobs
from toolkit.dataset.manifest import FOLDER, PARTS, read_history
from toolkit.dataset.paths import decode_path
from toolkit.store.cache import find_cache
from toolkit.store.mirror import mirror_sources


def look_up_sources(dataset: Path) -> None:
    """Let every source that a mirror names stand at its path, to be opened by `hold`, or be gone.

    Nothing is done for a folder of this machine.

    Raises:
        StorageError: the store refuses or cannot be reached.
    """
    cache = find_cache(dataset)
    if cache is None or not any((dataset / FOLDER / table).is_dir() for table in PARTS):
        return
    rows = (str(path) for path in read_history(dataset)["source"])
    planned = (source.path for job in read_jobs(dataset) for source in job.sources)
    paths = dict.fromkeys(map(decode_path, itertools.chain(rows, planned)))
    with cache.lock():
        mirror_sources(cache, (dataset / path for path in paths))
