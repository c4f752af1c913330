"""Clips that a person left out: `manifests/excluded.csv`, which splits and trainings honour."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from toolkit.dataset.manifest import FOLDER
from toolkit.dataset.paths import check_inside
from toolkit.errors import ManifestError
from toolkit.storage import write_whole

NAME = "excluded.csv"
COLUMNS = ["clip_id", "reason"]


def read_excluded(dataset: Path) -> dict[str, str]:
    """Id -> reason of the clips that are left out, in the file's order; none without a file.

    Raises:
        ManifestError: another head than `clip_id,reason`, a row of another length, or no UTF-8.
    """
    path = _find_file(dataset)
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *rows = [row for row in csv.reader(file, strict=True) if row] or [[]]
        if head != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
            raise ValueError(f"its columns must be {', '.join(COLUMNS)}")
    except (ValueError, csv.Error) as error:
        raise ManifestError(f"{path}: cannot be read ({error}): mend it or delete it") from error
    return {row[0]: row[1] for row in rows}


def write_excluded(dataset: Path, excluded: Mapping[str, str]) -> Path:
    """Write the file anew; StorageError if the disk refuses."""
    path = _find_file(dataset)
    with write_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        # all quoted: a carriage return in a reason is not by itself, and would end its row
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerows([COLUMNS, *excluded.items()])
    return path


def exclude_clips(dataset: Path, clip_ids: Iterable[str], reason: str) -> None:
    """Leave clips out from now on; a clip that is left out already gets this reason.

    Raises:
        ManifestError: a damaged file.
        StorageError: the disk refuses.
    """
    write_excluded(dataset, read_excluded(dataset) | dict.fromkeys(clip_ids, reason))


def include_clips(dataset: Path, clip_ids: Iterable[str]) -> None:
    """Take clips in again; errors as `exclude_clips`."""
    again = set(clip_ids)
    kept = {each: reason for each, reason in read_excluded(dataset).items() if each not in again}
    write_excluded(dataset, kept)


def drop_excluded(dataset: Path, clips: pd.DataFrame) -> pd.DataFrame:
    """Rows of the clips table without those that are left out; ManifestError: a damaged file."""
    excluded = read_excluded(dataset)
    return clips[~clips["clip_id"].isin(list(excluded))] if excluded else clips


def _find_file(dataset: Path) -> Path:
    return check_inside(dataset / FOLDER / NAME, dataset)
