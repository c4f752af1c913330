"""WebDataset: tar files of samples, which its package reads one behind another.

A sample is a clip. Its members are `ID.json` (the manifest's row), `ID.wav`, `ID.mp4` where frames
are stored, and `ID.NAME.npy` for every array. Equal datasets give equal files, but for what another
version of an encoder makes of a picture.
"""

import io
import json
import tarfile
import tempfile
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.export.clips import ExportClip, list_clips, open_clips
from toolkit.export.folder import ExportFile, ExportReport, Progress, part_clips, write_files
from toolkit.export.options import ExportOptions


def export_webdataset(
    dataset: Path, out: Path, options: ExportOptions, progress: Progress | None = None
) -> ExportReport:
    """Write `PART-000000.tar` and so on for every part of the split, 20 minutes of clips in each.

    Clips stand in the order of their ids, which begin with digests of their sources: people are
    mixed, clips of one source stay together.

    Raises:
        ToolkitError: no such clips, a damaged shard, or see `write_files`.
    """
    clips = list_clips(dataset, options).sort_values("clip_id", kind="stable")
    files = [
        ExportFile(
            name=f"{part}-{number:06d}.tar",
            num_clips=len(rows),
            write=partial(_write_tar, dataset, rows),
        )
        for part, groups in part_clips(clips)
        for number, rows in enumerate(groups)
    ]
    return write_files(out, "webdataset", clips, options, files, progress)


def _write_tar(dataset: Path, rows: pd.DataFrame, path: Path) -> None:
    # the format is named: PAX headers, Python's default, are read by fewer programs
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for clip in open_clips(dataset, rows):
            _add(tar, f"{clip.id}.json", _write_json(clip))
            _add(tar, f"{clip.id}.wav", clip.make_wav())
            with tempfile.TemporaryDirectory(prefix="ttk-export-") as folder:
                video = clip.make_mp4(Path(folder))
            if video is not None:
                _add(tar, f"{clip.id}.mp4", video)
            for short, name in clip.arrays.items():
                stream = io.BytesIO()
                np.save(stream, clip.read(name), allow_pickle=False)
                _add(tar, f"{clip.id}.{short}.npy", stream.getvalue())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # without a time or an owner: equal content gives equal files
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _write_json(clip: ExportClip) -> bytes:
    row = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in clip.describe().items()
    }
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
