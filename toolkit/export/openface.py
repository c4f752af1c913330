"""CSV tables as OpenFace 2.1's `FeatureExtraction` writes them, one for each clip.

Names and values have a blank behind each comma, as OpenFace wrote them before 2.2; numbers have six
significant digits. Written are the columns whose meaning the dataset has: pose, 68 points, AU45.
Gaze, points in three dimensions, shape parameters and other action units are not there.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit.export.clips import ExportClip, list_clips, open_clips
from toolkit.export.folder import ExportFile, ExportReport, Progress, write_files
from toolkit.export.options import ExportOptions
from toolkit.mesh import LANDMARKS68

Floats = npt.NDArray[np.float64]

PRESENT = 1.0
"""AU45 from which on `AU45_c` is 1: the least intensity of FACS' scale, A."""

_POSE = ("Tx", "Ty", "Tz", "Rx", "Ry", "Rz")


def export_openface(
    dataset: Path, out: Path, options: ExportOptions, progress: Progress | None = None
) -> ExportReport:
    """Write `CLIP_ID.csv` for every clip, places in px of the source's picture.

    Raises:
        ToolkitError: no such clips, a damaged shard, or see `write_files`.
    """
    clips = list_clips(dataset, options)

    def plan(row: pd.DataFrame) -> ExportFile:
        def write(path: Path) -> None:
            for clip in open_clips(dataset, row):
                write_table(path, clip)

        return ExportFile(name=f"{row['clip_id'].iloc[0]}.csv", num_clips=1, write=write)

    files = [plan(clips[k : k + 1]) for k in range(len(clips))]
    return write_files(out, "openface", clips, options, files, progress)


def write_table(path: Path, clip: ExportClip, side: int | None = None) -> None:
    """Write a clip's table.

    Args:
        path: file to write.
        clip: n frames, rows 1 to n.
        side: places are in px of the clip's crop, scaled to so many px; None: of the source.
    """
    columns = _list_columns(clip, side)
    numbers = np.stack(list(columns.values()), axis=1)
    np.savetxt(
        path, numbers, fmt="%.6g", delimiter=", ", header=", ".join(columns), comments="",
        encoding="utf-8",
    )  # fmt: skip


def _list_columns(clip: ExportClip, side: int | None) -> dict[str, Floats]:
    """Name -> (n,) numbers, in OpenFace's order."""
    frame = np.arange(clip.num_frames)
    names = clip.reader.names
    valid = clip.read("face/valid").astype(np.float64)
    columns: dict[str, Floats] = {
        "frame": frame + 1.0,
        "face_id": np.zeros(clip.num_frames),
        "timestamp": frame / clip.reader.fps,
        "confidence": _find_confidence(clip, valid),
        "success": valid,
    }
    if "face/pose" in names:
        pose = clip.read("face/pose").astype(np.float64)[:, [3, 4, 5, 0, 1, 2]]
        columns |= {f"pose_{axis}": pose[:, k] for k, axis in enumerate(_POSE)}
    # OpenFace counts a pixel's centre as its place, the dataset its upper left corner
    points = clip.landmarks(side)[:, list(LANDMARKS68)] - 0.5
    columns |= {f"x_{k}": points[:, k, 0] for k in range(len(LANDMARKS68))}
    columns |= {f"y_{k}": points[:, k, 1] for k in range(len(LANDMARKS68))}
    if "face/au45" in names:
        au45 = clip.read("face/au45").astype(np.float64)
        columns |= {"AU45_r": au45, "AU45_c": (au45 >= PRESENT).astype(np.float64)}
    return columns


def _find_confidence(clip: ExportClip, valid: Floats) -> Floats:
    """The backend's score, where it has one and the frame is valid; else 1 for valid, 0."""
    score = np.ones(clip.num_frames)
    if "face/confidence" in clip.reader.names:
        stored = clip.read("face/confidence").astype(np.float64)
        score = np.where(np.isfinite(stored), stored, 1.0)
    return np.asarray(score * valid)
