"""Stretches that were turned down, as a contact sheet: a picture of each, and the reason."""

import contextlib
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from toolkit.dataset.find import describe_scraps, part_scraps
from toolkit.dataset.manifest import read_table
from toolkit.dataset.paths import decode_path
from toolkit.errors import ToolkitError
from toolkit.media.decode import read_frames
from toolkit.media.video import fit_size, probe
from toolkit.preview.draw import (
    BACKGROUND,
    BLINK,
    GREY,
    MUTED,
    PANEL,
    TEXT,
    Picture,
    draw_text,
    fit_text,
)
from toolkit.storage import write_whole
from toolkit.store.cache import hold

COLUMNS, MAX_CELLS = 4, 60
"""Stretches in a row of the sheet, and on the sheet: the longest ones."""

_CELL, _PICTURE, _CAPTION, _GAP, _HEADER = 288, 162, 88, 8, 60
_LINE, _MESSAGE_LINES = 46, 2

Progress = Callable[[int, int], None]
"""Called after each picture: pictures done, pictures in all."""


@dataclass(frozen=True, kw_only=True)
class RejectedSheet:
    """What stands on a sheet: stretches drawn, longest first; those left out; scraps by reason."""

    num_drawn: int
    num_left_out: int
    scraps: dict[str, int]


def render_rejected(
    dataset: Path, rejected: pd.DataFrame, out: Path, *, progress: Progress | None = None
) -> RejectedSheet:
    """Write a contact sheet of rejected stretches, PNG: the middle picture, reason, place, message.

    Pictures are taken from the source videos where those still are what was ingested; grey else.
    Scraps (under 0.2 s) are counted by reason in one line.

    Args:
        dataset: the dataset's folder.
        rejected: rows as of `toolkit.dataset.find.choose_rejected`.
        out: picture to write.
        progress: see `Progress`.

    Raises:
        ToolkitError: there is nothing to draw.
        StorageError: the disk refuses.
    """
    from PIL import Image

    if rejected.empty:
        raise ToolkitError(f"{dataset}: nothing was turned down: ttk ls rejected")
    rows, scraps = part_scraps(rejected)
    longest = rows.sort_values("duration", ascending=False, kind="stable")[:MAX_CELLS].index
    drawn = rows[rows.index.isin(longest)]
    summary = RejectedSheet(
        num_drawn=len(drawn), num_left_out=len(rows) - len(drawn), scraps=scraps
    )
    sheet = _draw_sheet(dataset, drawn, summary, progress)
    with write_whole(out) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")
    return summary


def _draw_sheet(
    dataset: Path, rejected: pd.DataFrame, summary: RejectedSheet, progress: Progress | None
) -> Picture:
    num_rows = -(-len(rejected) // COLUMNS)
    size = (_HEADER + num_rows * (_PICTURE + _CAPTION + _GAP), COLUMNS * (_CELL + _GAP) + _GAP)
    sheet = np.full((*size, 3), BACKGROUND, np.uint8)
    _draw_title(sheet, summary)
    sizes = read_table(dataset, "sources").set_index("source")["size"].to_dict()
    for number, row in enumerate(rejected.itertuples(index=False)):
        x = _GAP + number % COLUMNS * (_CELL + _GAP)
        y = _HEADER + number // COLUMNS * (_PICTURE + _CAPTION + _GAP)
        picture = sheet[y : y + _PICTURE, x : x + _CELL]
        path = dataset / decode_path(str(row.source))
        middle = float(row.start) + float(row.duration) / 2  # type: ignore[arg-type]
        _draw_thumbnail(picture, path, middle, sizes.get(row.source))
        _draw_caption(sheet[y + _PICTURE : y + _PICTURE + _CAPTION, x : x + _CELL], row)
        if progress:
            progress(number + 1, len(rejected))
    return sheet


def _draw_title(sheet: Picture, summary: RejectedSheet) -> None:
    draw_text(sheet, f"Turned down: {summary.num_drawn}", (_GAP, 20), size=18, bold=True)
    more = f"{summary.num_left_out} shorter ones are left out" if summary.num_left_out else ""
    facts = " · ".join(filter(None, (more, describe_scraps(summary.scraps))))
    width = sheet.shape[1] - 2 * _GAP
    draw_text(sheet, fit_text(facts, width, 13), (_GAP, 44), size=13, color=MUTED)


def _draw_thumbnail(area: Picture, path: Path, time: float, size: int | None) -> None:
    area[:] = GREY
    picture = read_thumbnail(path, time, size)
    if isinstance(picture, str):
        middle = _CELL // 2, _PICTURE // 2
        draw_text(area, picture, middle, color=MUTED, anchor="middle")
        return
    height, width = picture.shape[:2]
    y, x = (_PICTURE - height) // 2, (_CELL - width) // 2
    area[y : y + height, x : x + width] = picture


def read_thumbnail(path: Path, time: float, size: int | None) -> Picture | str:
    """What a source shows at a time, at most 288 × 162; or in words why there is no picture.

    Args:
        path: the source.
        time: s from its start.
        size: bytes that the file had when it was ingested.
    """
    import cv2

    if not path.is_file():
        return "the source is gone"
    if path.stat().st_size != size:
        return "the source has changed"
    try:
        with hold(path):
            shown = _read_frame(path, time)
    except (ToolkitError, StopIteration):
        return "no picture can be read"
    scale = min(_CELL / shown.shape[1], _PICTURE / shown.shape[0])
    target = (round(shown.shape[1] * scale), round(shown.shape[0] * scale))
    return np.asarray(cv2.resize(shown, target, interpolation=cv2.INTER_AREA), np.uint8)


def _read_frame(path: Path, time: float) -> Picture:
    info, streams = probe(path)
    with contextlib.closing(read_frames(path, info, streams, size=fit_size, start=time)) as frames:
        shown = next(frames).picture
        for frame in frames:
            if frame.time > time:
                break
            shown = frame.picture
    return shown


def _draw_caption(area: Picture, row: object) -> None:
    area[:] = PANEL
    source, reason, message = (str(getattr(row, name)) for name in ("source", "reason", "message"))
    start, duration = float(getattr(row, "start")), float(getattr(row, "duration"))  # noqa: B009
    draw_text(area, reason, (8, 14), color=BLINK, bold=True)
    place = f"{start:.2f}–{start + duration:.2f} s" if duration else "the whole file"
    draw_text(area, place, (_CELL - 8, 14), size=11, color=TEXT, anchor="right")
    name = PurePosixPath(source).name
    draw_text(area, fit_text(name, _CELL - 16, 11), (8, 32), size=11, color=MUTED)
    lines = _wrap(message)
    for number, line in enumerate(lines):
        place_of = 8, 52 + 16 * number
        draw_text(area, fit_text(line, _CELL - 16, 11), place_of, size=11)


def _wrap(message: str) -> Sequence[str]:
    return textwrap.wrap(message, _LINE, max_lines=_MESSAGE_LINES, placeholder=" …")
