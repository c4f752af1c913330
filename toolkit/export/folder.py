"""The folder of an export: files whole or not there, the same command goes on where it stopped."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import toolkit
from toolkit.errors import ToolkitError
from toolkit.export.options import ExportOptions
from toolkit.storage import digest_record, guard_storage, hold_folder, write_whole

RECORD = ".export.json"
"""What a folder is an export of: written first, compared when the same is asked for again."""

MINUTES = 20.0
"""Of clips in a file that holds several: about 0.3 GB with frames of 256 px."""

Progress = Callable[[int, int], None]
"""Called after each file: clips done, clips in all."""


@dataclass(frozen=True, kw_only=True)
class ExportFile:
    """One file to be.

    Attributes:
        name: from the export's folder, `/` between parts.
        num_clips: clips that are done once it is there.
        write: writes all of it at the path given.
    """

    name: str
    num_clips: int
    write: Callable[[Path], None]


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export has come to: `num_kept` of `num_files` were there before."""

    format: str
    out: str
    num_clips: int
    minutes: float
    num_files: int
    num_kept: int


def write_files(
    out: Path,
    kind: str,
    clips: pd.DataFrame,
    options: ExportOptions,
    files: Sequence[ExportFile],
    progress: Progress | None = None,
) -> ExportReport:
    """Write all files that are not there yet.

    Args:
        out: folder; new, empty, or of an export of the same that was stopped.
        kind: name of the format.
        clips: rows of all clips of the export.
        options: that chose them.
        files: of all that is there in the end.
        progress: see `Progress`.

    Raises:
        ToolkitError: the folder holds something else.
        BusyError: another process writes there.
        StorageError: the disk refuses.
    """
    record = _make_record(kind, clips, options)
    num_done = num_kept = 0
    with hold_folder(out, lambda: "another ttk export writes there"):
        _claim(out, record)
        for file in files:
            path = out / file.name
            if path.is_file():
                num_kept += 1
            else:
                with guard_storage(path):
                    path.parent.mkdir(parents=True, exist_ok=True)
                with write_whole(path) as temporary:
                    file.write(temporary)
            num_done += file.num_clips
            if progress:
                progress(num_done, len(clips))
    return ExportReport(
        format=kind,
        out=str(out),
        num_clips=len(clips),
        minutes=float(clips["duration"].sum()) / 60,
        num_files=len(files),
        num_kept=num_kept,
    )


def part_clips(clips: pd.DataFrame) -> Iterator[tuple[str, list[pd.DataFrame]]]:
    """Part of the split -> its clips, in order, in groups of at most `MINUTES` or of one clip."""
    for part, rows in clips.groupby("split", sort=True):
        groups, filled = [0], 0.0
        for minutes in rows["duration"] / 60:
            is_full = filled > 0 and filled + minutes > MINUTES
            groups.append(groups[-1] + is_full)
            filled = minutes if is_full else filled + minutes
        yield str(part), [chosen for _, chosen in rows.groupby(groups[1:], sort=True)]


def _make_record(kind: str, clips: pd.DataFrame, options: ExportOptions) -> Mapping[str, object]:
    names = ["clip_id", "shard_sha256", "split"]
    return {
        "format": kind,
        "options": dataclasses.asdict(options),
        "version": toolkit.__version__,
        "clips": digest_record(clips[names].to_numpy().tolist()),
    }


def _claim(out: Path, record: Mapping[str, object]) -> None:
    path = out / RECORD
    if path.is_file():
        try:
            former = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            former = None
        if former != record:
            raise ToolkitError(
                f"{out}: holds an export of other clips, options or format, or by another version "
                "of ttk: choose a new folder for --out, or delete that one"
            )
        return
    others = [each for each in out.iterdir() if each.name != f".{RECORD}.tmp"]
    if others:
        raise ToolkitError(f"{out}: is not empty: choose a new folder for --out")
    with write_whole(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
