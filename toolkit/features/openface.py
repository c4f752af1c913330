"""Head pose and AU45 from OpenFace 2 (Baltrušaitis et al., FG 2018): run here, or CSVs made before.

OpenFace is the user's own: its licence is academic and non-commercial. Its pose is already in our
convention (camera frame x right, y down, z forward, R = Rx·Ry·Rz, rad and mm). Its head origin is
that of its 68-point shape model, whose mean shape has its centroid there (to 1e-7 mm): the same
point by definition as the toolkit's, the centroid of its mean shape's 68 points. The two mean
faces differ, and so the points on a given head may; nothing is added for that.

Rows and frames: where the table's last frame is the source's last decoded frame, row i is decoded
frame i; right at variable frame rates too, where OpenFace's `timestamp` is frame/rate and not the
presentation time. Otherwise the row nearest in time, within half a frame of the table.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit.errors import SetupError, SourceError, ToolkitError
from toolkit.facemodel.camera import change_intrinsics, default_intrinsics, project_camera
from toolkit.features.base import Arrays, Extractor
from toolkit.mesh import MAX_AU45
from toolkit.schema import ClipInput, Provenance, Reason

Floats = npt.NDArray[np.float64]
Intrinsics = tuple[float, float, float, float]

MIN_CONFIDENCE = 0.7
"""Below this OpenFace's own author counts a frame as failed (OpenFace issue 270)."""

POSE_COLUMNS = ("pose_Rx", "pose_Ry", "pose_Rz", "pose_Tx", "pose_Ty", "pose_Tz")
AU45_COLUMN = "AU45_r"
_INDEX_COLUMNS = ("frame", "timestamp", "confidence", "success")
_LANDMARK_COLUMNS = tuple(f"{axis}_{i}" for axis in "xy" for i in range(68))


@dataclass(frozen=True, kw_only=True)
class OpenFaceTable:
    """Rows of one source, in the file's order; a frame may have several, one per face.

    Attributes:
        path: the CSV.
        frame: (R,) int64 frame number, from 1.
        timestamp: (R,) s.
        confidence: (R,) 0 to 1.
        usable: (R,) bool: success is 1, confidence at least 0.7, every number finite.
        pose: (R, 6) rad and mm, or None where the columns are missing.
        au45: (R,) 0 to 5, or None.
        center: (R, 2) px, mean of the 68 landmarks, or None.
    """

    path: Path
    frame: npt.NDArray[np.int64]
    timestamp: Floats
    confidence: Floats
    usable: npt.NDArray[np.bool_]
    pose: Floats | None
    au45: Floats | None
    center: Floats | None


class _OpenFace(Extractor):
    """What both extractors share: where the table comes from, and one run per source."""

    def __init__(
        self, *, openface_csv: Path | None = None, openface_binary: Path | str | None = None
    ) -> None:
        """Use the CSVs in a folder, else run a program.

        Args:
            openface_csv: folder of CSVs made before: see `find_csv`.
            openface_binary: OpenFace's `FeatureExtraction`; default: the environment variable
                OPENFACE_BIN, else the one on PATH.

        Raises:
            SetupError: the folder or the program does not exist.
        """
        self._folder = None if openface_csv is None else Path(openface_csv)
        if self._folder is not None and not self._folder.is_dir():
            raise SetupError(f"no folder {self._folder}: --openface-csv is a folder of CSV files")
        self._binary = None if self._folder is not None else find_binary(openface_binary)

    def provenance(self) -> Provenance:
        """Where the rows came from; OpenFace itself does not say which version wrote them."""
        note = f"version not recorded in its output; valid from confidence {MIN_CONFIDENCE}"
        if self._folder is not None:
            return Provenance(backend="openface", version="csv", note=note)
        return Provenance(backend="openface", version=Path(str(self._binary)).name, note=note)

    def _match(self, clip: ClipInput) -> tuple[OpenFaceTable, npt.NDArray[np.int64]]:
        if self._folder is not None:
            table = _read_cached(find_csv(self._folder, clip.path))
        else:
            made = _run_cached(str(self._binary), clip.path.absolute(), clip.intrinsics)
            if isinstance(made, SourceError):
                raise made
            table = made
        try:
            rows = match_rows(table, clip, self._table_intrinsics(clip))
        except SetupError as error:
            if self._folder is not None:
                raise
            raise SourceError(Reason.FAILED, str(error)) from error
        if (rows < 0).all():
            last = clip.start_frame + clip.num_frames - 1
            message = f"OpenFace has no face for frames {clip.start_frame}–{last} of {clip.path}"
            raise SourceError(Reason.FAILED, message)
        return table, rows

    def _table_intrinsics(self, clip: ClipInput) -> Intrinsics:
        """The camera OpenFace assumed: its own rule, or the clip's where it was run here."""
        return default_intrinsics(*clip.picture_size) if self._folder else clip.intrinsics


class OpenFacePose(_OpenFace):
    """Head pose as OpenFace's `pose_R*` and `pose_T*` give it.

    Tables made before are taken to be made with OpenFace's default camera; where the clip's is
    another one, `change_intrinsics` brings the pose into it.
    """

    arrays = ("face/pose",)

    def extract(self, clip: ClipInput) -> Arrays:
        """`face/pose` (n, 6) float32 and `face/valid`; unusable frames are interpolated."""
        table, rows = self._match(clip)
        if table.pose is None:
            raise _missing_columns(table.path, POSE_COLUMNS)
        valid = rows >= 0
        pose = fill_invalid(table.pose[rows], valid)
        pose = change_intrinsics(pose, self._table_intrinsics(clip), clip.intrinsics)
        return {"face/pose": pose.astype(np.float32), "face/valid": valid}


class OpenFaceAU45(_OpenFace):
    """Blink intensity as OpenFace's `AU45_r` gives it, 0 to 5."""

    arrays = ("face/au45",)

    def extract(self, clip: ClipInput) -> Arrays:
        """`face/au45` (n,) float32 and `face/valid`; unusable frames are interpolated."""
        table, rows = self._match(clip)
        if table.au45 is None:
            raise _missing_columns(table.path, (AU45_COLUMN,))
        valid = rows >= 0
        au45 = fill_invalid(table.au45[rows], valid)
        return {"face/au45": au45.astype(np.float32), "face/valid": valid}


def find_binary(path: Path | str | None = None) -> Path:
    """OpenFace's `FeatureExtraction`: `path`, else OPENFACE_BIN, else the one on PATH.

    Raises:
        SetupError: there is none; says what to do.
    """
    name = str(path or os.environ.get("OPENFACE_BIN") or "FeatureExtraction")
    found = shutil.which(name)
    if found is None:
        raise SetupError(
            f"cannot run OpenFace: no program {name}; build or download OpenFace 2 "
            "(https://github.com/TadasBaltrusaitis/OpenFace/wiki) and put FeatureExtraction on "
            "PATH or its path in OPENFACE_BIN, or give CSVs made before with --openface-csv DIR"
        )
    return Path(found).absolute()


def find_csv(folder: Path, source: Path) -> Path:
    """The CSV of a source: its path with `__` for `/` and `.csv` added, as much as is there.

    For `talks/ann/one.mp4` the first that exists of `talks__ann__one.mp4.csv`,
    `ann__one.mp4.csv`, `one.mp4.csv`, and `one.csv`, which is how OpenFace names it.

    Raises:
        SetupError: none of them exists.
    """
    parts = [part for part in source.parts if part != source.anchor]
    names = ["__".join(parts[i:]) + ".csv" for i in range(len(parts))] + [f"{source.stem}.csv"]
    for name in names:
        # A whole path can be a longer name than file systems allow, which cannot be there.
        if len(os.fsencode(name)) <= 255 and (folder / name).is_file():
            return folder / name
    raise SetupError(
        f"no OpenFace CSV for {source} in {folder}: name it {names[-1]} or {names[-2]}"
    )


def run_openface(binary: Path, source: Path, intrinsics: Intrinsics) -> OpenFaceTable:
    """Run `FeatureExtraction` on a video under the camera given (fx, fy, cx, cy), read its rows.

    Raises:
        SetupError: the program does not start or cannot find its models.
        SourceError: it fails on this video.
    """
    with tempfile.TemporaryDirectory(prefix="ttk-openface-") as folder:
        arguments = [str(binary), "-f", str(source.absolute()), "-out_dir", folder]
        arguments += ["-pose", "-aus", "-2Dfp"]
        for name, value in zip(("-fx", "-fy", "-cx", "-cy"), intrinsics, strict=True):
            arguments += [name, f"{value:.6f}"]
        try:
            done = subprocess.run(
                arguments, stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
        except OSError as error:
            raise SetupError(f"cannot run OpenFace at {binary}: {error.strerror}") from error
        tables = sorted(Path(folder).glob("*.csv"))
        if done.returncode != 0 or not tables:
            raise _run_error(binary, source, done)
        try:
            return read_openface(tables[0])
        except SetupError as error:
            message = f"OpenFace made no usable table of {source}: {error}"
            raise SourceError(Reason.FAILED, message) from error


def _run_error(
    binary: Path, source: Path, done: "subprocess.CompletedProcess[bytes]"
) -> ToolkitError:
    said = (done.stdout + b"\n" + done.stderr).decode(errors="replace")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else "no output"
    if "could not load" in said.lower():
        return SetupError(f"OpenFace at {binary} lacks its models (download_models.sh): {last}")
    message = f"OpenFace made no table of {source} (exit code {done.returncode}): {last}"
    return SourceError(Reason.FAILED, message)


def read_openface(path: Path) -> OpenFaceTable:
    """Read a table of `FeatureExtraction` or `FaceLandmarkVidMulti`, of any version of OpenFace 2.

    Comma separated; blanks around column names are dropped; text that is not a number, and a last
    line cut short, makes a row unusable.

    Raises:
        SetupError: not such a table, or it has no rows.
    """
    try:
        frame = pd.read_csv(path, skipinitialspace=True, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise SetupError(f"cannot read {path} as a table of OpenFace: {error}") from error
    frame.columns = frame.columns.str.strip()
    missing = [name for name in _INDEX_COLUMNS if name not in frame.columns]
    if missing or frame.empty:
        raise _missing_columns(path, missing) if missing else SetupError(f"{path} has no rows")
    index = _numbers(frame, _INDEX_COLUMNS)
    pose, au45 = _numbers_or_none(frame, POSE_COLUMNS), _numbers_or_none(frame, (AU45_COLUMN,))
    center = _numbers_or_none(frame, _LANDMARK_COLUMNS)
    usable = np.isfinite(index).all(axis=1)
    usable &= (index[:, 2] >= MIN_CONFIDENCE) & (index[:, 3] == 1)
    for values in (pose, au45, center):
        if values is not None:
            usable &= np.isfinite(values).all(axis=1)
    if pose is not None:
        usable &= pose[:, 5] > 0
    return OpenFaceTable(
        path=path,
        frame=np.nan_to_num(index[:, 0], nan=0, posinf=0, neginf=0).astype(np.int64),
        timestamp=index[:, 1],
        confidence=index[:, 2],
        usable=usable,
        pose=pose,
        au45=None if au45 is None else np.clip(au45[:, 0], 0.0, MAX_AU45),
        center=None if center is None else center.reshape(-1, 2, 68).mean(axis=2),
    )


def match_rows(
    table: OpenFaceTable, clip: ClipInput, intrinsics: Intrinsics
) -> npt.NDArray[np.int64]:
    """Row of the table for each of the clip's frames, −1 where it has no usable one.

    A face belongs to the clip if its middle lies in the clip's crop; of several, the nearest to
    the crop's middle, of faces without a known place the most confident.

    Args:
        table: of the whole source.
        clip: says which decoded frame each of its frames shows, when, and where the face is.
        intrinsics: the camera that OpenFace assumed: places faces without landmark columns.

    Raises:
        SetupError: the table is of another video: it has more frames than were decoded.
    """
    last = int(table.frame.max())
    if last > clip.source_num_frames * 1.02 + 2:
        raise SetupError(
            f"{table.path} has {last} frames, but {clip.path} has {clip.source_num_frames}: it "
            "belongs to another video, or to another cut of this one"
        )
    if last == clip.source_num_frames:
        keys, target = table.frame - 1.0, clip.source_index.astype(np.float64)
    else:
        keys, target = table.timestamp, clip.source_time
    times = np.unique(keys[np.isfinite(keys)])
    tolerance = np.median(np.diff(times)) / 2 if len(times) > 1 else 0.5
    cost = _face_cost(table, clip.crop, intrinsics)
    # Of the rows with one key the cheapest, by sorting: the first of each key's run.
    order = np.lexsort((cost, keys))
    order = order[np.isfinite(cost[order]) & np.isfinite(keys[order])]
    if not len(order):
        return np.full(clip.num_frames, -1, dtype=np.int64)
    first = order[np.unique(keys[order], return_index=True)[1]]
    right = np.clip(np.searchsorted(keys[first], target), 0, len(first) - 1)
    left = np.maximum(right - 1, 0)
    nearer = np.abs(keys[first[left]] - target) <= np.abs(keys[first[right]] - target)
    rows = np.where(nearer, first[left], first[right])
    return np.where(np.abs(keys[rows] - target) <= tolerance, rows, -1).astype(np.int64)


def _face_cost(
    table: OpenFaceTable, crop: tuple[float, float, float, float], intrinsics: Intrinsics
) -> Floats:
    """How far each row's face is from the clip's (R,); infinite where it cannot be it."""
    center = table.center
    if center is None and table.pose is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            center = project_camera(table.pose[:, 3:], intrinsics)
    if center is None:
        return np.where(table.usable, 1 - table.confidence, np.inf)
    low, high = np.array(crop[:2]), np.array(crop[2:])
    inside = ((center >= low) & (center <= high)).all(axis=1)
    distance = np.linalg.norm(center - (low + high) / 2, axis=1)
    return np.where(table.usable & inside, distance, np.inf)


def fill_invalid(values: npt.ArrayLike, valid: npt.NDArray[np.bool_]) -> Floats:
    """Interpolate rows that are not valid linearly between their valid neighbours.

    Args:
        values: (n,) or (n, D); whatever stands in the rows that are not valid is not looked at.
        valid: (n,) with at least one True; before the first and after the last its row is held.

    Returns:
        The same shape, float64.
    """
    values = np.asarray(values, dtype=np.float64)
    if not valid.any():
        raise ValueError("nothing to interpolate from: no row is valid")
    known, every = np.flatnonzero(valid), np.arange(len(valid))
    columns = values.reshape(len(values), -1).T
    filled = np.stack([np.interp(every, known, column[known]) for column in columns], axis=1)
    return filled.reshape(values.shape)


@lru_cache(maxsize=2)
def _read_cached(path: Path) -> OpenFaceTable:
    return read_openface(path)


@lru_cache(maxsize=2)
def _run_cached(binary: str, source: Path, intrinsics: Intrinsics) -> OpenFaceTable | SourceError:
    """The table, or why there is none: a video it fails on is not tried again for every clip."""
    try:
        return run_openface(Path(binary), source, intrinsics)
    except SourceError as error:
        return error


def _numbers(frame: pd.DataFrame, names: tuple[str, ...]) -> Floats:
    columns = [pd.to_numeric(frame[name], errors="coerce") for name in names]
    return np.stack([column.to_numpy(dtype=np.float64) for column in columns], axis=1)


def _numbers_or_none(frame: pd.DataFrame, names: tuple[str, ...]) -> Floats | None:
    return _numbers(frame, names) if set(names) <= set(frame.columns) else None


def _missing_columns(path: Path, names: "tuple[str, ...] | list[str]") -> SetupError:
    listed = ", ".join(names)
    return SetupError(
        f"{path} lacks the column(s) {listed}: make it with OpenFace's FeatureExtraction and "
        "without options that leave columns out, or with -pose -aus"
    )
