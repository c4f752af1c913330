"""What the viewer's page shows of clips, as JSON: rows of the list, columns and traces of one clip.

Legend: n frames of the clip.
"""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_numeric_dtype

from toolkit.dataset.excluded import read_excluded
from toolkit.dataset.stats_text import UNKNOWN
from toolkit.dataset.where import filter_rows
from toolkit.mesh import MAX_AU45
from toolkit.page import MAX_ROWS
from toolkit.preview.clip import Floats, PreviewClip
from toolkit.preview.traces import QUIET, draw_heat, find_runs, measure_level, read_letters
from toolkit.report.pick import DOUBTS

MARKS = ("excluded", "kept")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which clips are listed, and in which order; "" leaves out a rule.

    Attributes:
        where: expression over columns, see `filter_rows`; `excluded` is one of them.
        identity, part: person, part of the split.
        doubt: name of one of `DOUBTS`.
        mark: one of `MARKS`.
        order: a numeric column; "": source and time.
        descending: whether the largest come first; what is not known comes last in either case.
    """

    where: str = ""
    identity: str = ""
    part: str = ""
    doubt: str = ""
    mark: str = ""
    order: str = ""
    descending: bool = False


def add_marks(dataset: Path, clips: pd.DataFrame) -> pd.DataFrame:
    """Rows of the report's `read_clips`, with the columns `excluded` and `reason` as of now.

    Raises:
        ManifestError: a damaged list of excluded clips.
    """
    excluded = read_excluded(dataset)
    return clips.assign(
        excluded=clips["clip_id"].isin(list(excluded)),
        reason=clips["clip_id"].map(excluded).fillna("").astype(object),
    )


def choose_clips(clips: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """Rows of `add_marks` that a choice keeps, in its order.

    Raises:
        ValueError: an expression that cannot be evaluated, an unknown doubt, mark or order.
    """
    if choice.identity:
        clips = clips[clips["identity"] == choice.identity]
    if choice.part:
        clips = clips[clips["split"] == choice.part]
    if choice.doubt:
        columns = {doubt.name: doubt.column for doubt in DOUBTS}
        clips = clips[clips[columns[_check(choice.doubt, columns, "doubt")]]]
    if choice.mark:
        clips = clips[clips["excluded"] == (_check(choice.mark, MARKS, "mark") == "excluded")]
    if choice.where.strip():
        clips = filter_rows(clips, choice.where)
    if choice.order:
        order = _check(choice.order, list_orders(clips), "order")
        clips = clips.sort_values(order, ascending=not choice.descending, kind="stable")
    return clips


def list_orders(clips: pd.DataFrame) -> list[str]:
    """Columns by which clips can be put in order: those of numbers."""
    return [
        name
        for name in map(str, clips.columns)
        if is_numeric_dtype(clips[name]) and clips[name].dtype != bool
    ]


def _check(name: str, known: Any, what: str) -> str:
    if name not in known:
        raise ValueError(f"unknown {what} {name!r}: choose from {', '.join(known)}")
    return name


def describe_list(clips: pd.DataFrame, choice: Choice) -> dict[str, Any]:
    """How many clips there are, how many are chosen, and the first `MAX_ROWS` of these."""
    chosen = choose_clips(clips, choice)
    rows = [_describe_row(row, choice.order) for row in chosen[:MAX_ROWS].to_dict("records")]
    return {"total": len(clips), "chosen": len(chosen), "clips": rows}


def _describe_row(row: Mapping[Any, Any], order: str) -> dict[str, Any]:
    return {
        "id": row["clip_id"],
        "name": row["short_id"],
        "identity": row["identity"],
        "part": row["split"],
        "duration": round(float(row["duration"]), 2),
        "value": write_value(row[order]) if order else "",
        "doubts": [doubt.name for doubt in DOUBTS if row[doubt.column]],
        "excluded": bool(row["excluded"]),
        "reason": row["reason"],
    }


def describe_columns(row: Mapping[Any, Any]) -> list[tuple[str, str]]:
    """Every column of the manifest's row, by name, as text."""
    own = {"excluded", "reason", "short_id", *(doubt.column for doubt in DOUBTS)}
    return [(str(name), write_value(value)) for name, value in row.items() if name not in own]


def write_value(value: Any) -> str:
    """A cell of the manifest as text; `–` where nothing is known."""
    if isinstance(value, np.ndarray | list):
        return ", ".join(map(write_value, value)) or UNKNOWN
    if value is None or pd.isna(value) or value == "":
        return UNKNOWN
    return f"{value:.6g}" if isinstance(value, float) else str(value)


# --- one clip -----------------------------------------------------------------------------------


def describe_traces(clip: PreviewClip) -> dict[str, Any]:
    """Everything that runs with the video; what is not stored is None."""
    times = (np.arange(clip.num_frames) + 0.5) / clip.fps
    turns = None if clip.pose is None else np.degrees(clip.pose[:, :3])
    return {
        "fps": clip.fps,
        "num_frames": clip.num_frames,
        "size": clip.size,
        "invalid": list(find_runs(~clip.valid)),
        "blinks": [(blink.onset, blink.offset + 1) for blink in clip.blinks],
        "au45": _to_list(clip.au45),
        "au45_limit": MAX_AU45,
        "pose": None if turns is None else [_to_list(turn) for turn in turns.T],
        "level": _to_list(measure_level(clip.pcm, times).clip(QUIET, 0)),
        "quiet": QUIET,
        "letters": [] if clip.symbols is None else list(read_letters(clip.symbols)),
        "symbols": None if clip.symbols is None else _embed_heat(clip.symbols),
        "has_mesh": clip.landmarks is not None,
    }


def encode_mesh(clip: PreviewClip) -> bytes:
    """The mesh's points (n, 478, 2), px of the crop as stored, as little-endian float32."""
    points: npt.NDArray[Any] = np.empty(0) if clip.landmarks is None else clip.landmarks
    return points.astype("<f4").tobytes()


def _to_list(values: Floats | None) -> list[float | None] | None:
    """To three digits behind the point; None for what is no number, which JSON has no word for."""
    if values is None:
        return None
    return [value if np.isfinite(value) else None for value in values.round(3).tolist()]


def _embed_heat(symbols: Floats) -> str:
    """The heat map (29, n) of symbols as a PNG's address."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(draw_heat(symbols)).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
