"""The page of a report."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.dataset.blink_stats import HUMAN_INTERVAL, HUMAN_RATE
from toolkit.dataset.stats_text import (
    AXES,
    UNKNOWN,
    list_funnel,
    list_numbers,
    write_hours,
    write_number,
    write_share,
)
from toolkit.page import (
    MAX_ROWS,
    SORTING,
    escape,
    write_list,
    write_page,
    write_section,
    write_sortable,
    write_table,
    write_words,
)
from toolkit.report.bars import draw_histogram
from toolkit.report.measure import Group, Report, measure_report, read_clips
from toolkit.report.pick import DOUBTS
from toolkit.report.sheets import show_strips
from toolkit.storage import check_ending, check_place

ENDINGS = (".html", ".htm")


def write_report(dataset: Path, out: Path | None, *, pictures: bool = True) -> Report:
    """Measure a dataset, and write the page if a file is named.

    Args:
        dataset: the dataset's folder.
        out: file to write, `.html`; a file of that name is replaced.
        pictures: whether faces are shown; without, the shards are not opened.

    Returns:
        Every figure of the page.

    Raises:
        ManifestError: no dataset here, or a damaged file.
        ValueError: a file of another ending.
        StorageError: the disk refuses.
    """
    if out is not None:
        check_ending(out, ENDINGS)
        check_place(out)
    clips = read_clips(dataset)
    report = measure_report(dataset, clips)
    if out is not None:
        write_page(
            out,
            f"Dataset {report.dataset}",
            _write_parts(dataset, report, clips, pictures),
            SORTING,
        )
    return report


def _write_parts(dataset: Path, report: Report, clips: pd.DataFrame, pictures: bool) -> list[str]:
    drawn = "".join(map(draw_histogram, report.distributions))
    return [
        write_section("What there is", _write_numbers(report)),
        write_section("From sources to clips", _write_funnel(report)),
        write_section("What was turned down: the longest of each reason", _write_examples(report)),
        write_section("Split", _write_split(report)),
        write_section("Distributions", drawn),
        write_section("Blinks", _write_blinks(report)),
        write_section("Identities", _write_identities(report)),
        write_section("Doubts", _write_doubts(report)),
        *(_write_sheets(dataset, report) if pictures else ()),
        write_section("Clips", _write_clips(clips)),
        write_section("Provenance", _write_provenance(report)),
    ]


def _write_numbers(report: Report) -> str:
    return write_table(["", ""], list_numbers(report.whole.clips))


def _write_funnel(report: Report) -> str:
    rows = []
    for label, number, hours, share in list_funnel(report.funnel):
        full = 1.0 if label == "in" else share or 0.0
        bar = (
            f"<span class=share><i style='width:{100 * min(max(full, 0.0), 1.0):.1f}%'></i></span>"
        )
        cells = ["" if hours is None else write_hours(hours)]
        cells += ["" if share is None else write_share(share), "" if hours is None else bar]
        rows.append([escape(label).replace("  ", "&emsp;"), number, *cells])
    return write_table(["", "number", "time", "share", ""], rows)


def _write_examples(report: Report) -> str:
    rows = [
        [
            escape(reason),
            write_words(example.source),
            f"{example.start:.2f}–{example.start + example.duration:.2f}"
            if example.duration
            else "whole",
            write_words(example.message),
        ]
        for reason, examples in report.examples.items()
        for example in examples
    ]
    return (
        write_table(["reason", write_words("source"), "place, s", write_words("why")], rows)
        if rows
        else ""
    )


def _write_split(report: Report) -> str:
    split = report.split
    if split is None:
        return "<p>No split has been made.</p>"
    total = sum(part.clips.num_frames for part in split.parts)
    rows = [
        [*_list_group(part), write_share(part.clips.num_frames / total)] for part in split.parts
    ]
    notes = [
        f"By {split.by}, {split.ratio}; {split.where or 'all clips'}.",
        f"{split.num_known} of {split.num_tested} identities of test are in train too.",
        *split.doubts,
    ]
    return write_table(["part", *_GROUP_HEADS, "of all frames"], rows) + write_list(notes)


_GROUP_HEADS = (
    "clips", "min", "valid %", "face px", "sharpness", *(f"{axis} °" for axis in AXES),
    "speech %", "mouth–audio", "blinks/s",
)  # fmt: skip


def _list_group(group: Group) -> list[str]:
    """Cells: the name, and those of `_GROUP_HEADS`."""
    clips = group.clips
    return [
        escape(clips.name),
        str(clips.num_clips),
        f"{clips.minutes:.1f}",
        _percent(clips.valid_share),
        write_number(clips.face_size, ".0f"),
        write_number(clips.sharpness, ".0f"),
        *(write_number(getattr(clips, f"{axis}_range"), ".0f") for axis in AXES),
        _percent(clips.speech_share),
        write_number(clips.mouth_audio_corr),
        write_number(group.blinks.rate),
    ]


def _percent(share: float | None) -> str:
    return write_number(None if share is None else 100 * share, ".0f")


def _write_blinks(report: Report) -> str:
    blinks, (low, high) = report.whole.blinks, HUMAN_RATE
    rows = [
        ["these clips", write_number(blinks.rate), write_number(blinks.duration),
         write_number(blinks.interval)],
        ["people, as FACIAL quotes it", f"{low}–{high}", UNKNOWN, UNKNOWN],
        ["people, what FACIAL calls inter-blink duration", UNKNOWN,
         f"{HUMAN_INTERVAL}?", f"{HUMAN_INTERVAL}?"],
    ]  # fmt: skip
    head = ["", "blinks/s", "duration, s", "onset to onset, s"]
    note = (
        f"<p class=note>{blinks.num_blinks} blinks in {blinks.valid_seconds / 60:.1f} min of valid "
        f"frames. Onsets {HUMAN_INTERVAL} s apart would contradict the rate: which of the two the "
        "paper means is not known. The shaded range in the figure of stretches is the rate.</p>"
    )
    return write_table(head, rows) + note


def _write_identities(report: Report) -> str:
    rows = [_list_group(group) for group in report.identities]
    left = ""
    if report.num_other_identities:
        left = (
            f"<p>The {len(rows)} of most minutes; {report.num_other_identities} others are left "
            "out.</p>"
        )
    return left + write_sortable(["identity", *_GROUP_HEADS], rows) if rows else ""


def _write_doubts(report: Report) -> str:
    picks = report.picks
    rows = [
        [doubt.name, str(picks.num_by_doubt[doubt.name]), write_words(doubt.text)]
        for doubt in DOUBTS
    ]
    number = f"<p>{picks.num_doubtful} of {report.whole.clips.num_clips} clips. A doubt is a "
    return f"{number}reason to look, no error.</p>" + write_table(
        ["doubt", "clips", write_words("where")], rows
    )


def _write_sheets(dataset: Path, report: Report) -> Iterator[str]:
    picks = report.picks
    yield (
        "<h2>Contact sheets</h2><p class=note>The rank of a clip is the mean of its ranks, 0 to 1, "
        "among these clips in face size, sharpness, valid frames and mouth–audio correlation: an "
        "order, no measure of quality.</p>"
    )
    sheets = {"Best": picks.best, "Worst": picks.worst, "Most doubts": picks.doubtful}
    for title, chosen in sheets.items():
        shown = show_strips(dataset, chosen)
        yield f"<h3>{title}</h3>{shown}" if shown else ""


def _write_clips(clips: pd.DataFrame) -> str:
    if clips.empty:
        return ""
    places = np.unique(np.linspace(0, len(clips) - 1, min(MAX_ROWS, len(clips))).round())
    shown = clips.iloc[places.astype(int)]
    note = ""
    if len(shown) < len(clips):
        note = (
            f"<p>{len(shown)} of {len(clips)}, evenly chosen in order of source and time; "
            f"{len(clips) - len(shown)} are left out. <code>ttk ls</code> lists all.</p>"
        )
    identity, doubts, source = (write_words(n, "name") for n in ("identity", "doubts", "source"))
    heads = [
        "clip", identity, "part", "start, s", "length, s", "face px", "sharpness", "valid %",
        "yaw °", "speech %", "mouth–audio", "lag, s", "blinks", "rank", doubts, source,
    ]  # fmt: skip
    return note + write_sortable(heads, map(_list_clip, shown.to_dict("records")))


def _list_clip(row: dict[str, object]) -> list[str]:
    def number(value: object, form: str = ".2f", scale: float = 1.0) -> str:
        known = isinstance(value, int | float) and not np.isnan(value)
        return write_number(scale * float(value), form) if known else UNKNOWN  # type: ignore[arg-type]

    yaw = float(row["yaw_max"]) - float(row["yaw_min"])  # type: ignore[arg-type]
    return [
        escape(str(row["short_id"])),
        write_words(str(row["identity"]), "name"),
        escape(str(row["split"])) or UNKNOWN,
        number(row["source_start"]),
        number(row["duration"]),
        number(row["face_size"], ".0f"),
        number(row["sharpness"], ".0f"),
        number(row["valid_share"], ".0f", 100),
        number(yaw, ".0f", 180 / np.pi),
        number(row["speech_share"], ".0f", 100),
        number(row["mouth_audio_corr"]),
        number(row["mouth_audio_lag"]),
        number(row["num_blinks"], ".0f"),
        number(row["rank"]),
        write_words(
            ", ".join(doubt.name for doubt in DOUBTS if row[doubt.column]) or UNKNOWN, "name"
        ),
        write_words(str(row["source"]), "name"),
    ]


def _write_provenance(report: Report) -> str:
    made = report.provenance
    rows = [
        [escape(feature), write_words(backend, "name"), str(number)]
        for feature, backends in made.backends.items()
        for backend, number in backends.items()
    ]
    parts = [
        write_table(["feature", write_words("backend", "name"), "clips"], rows) if rows else ""
    ]
    for digest, number in made.options.items():
        values = made.option_values.get(digest, {})
        parts.append(
            f"<h3>Options {escape(digest)}: {number} clips</h3>"
            + write_table(
                ["option", write_words("value")],
                [[escape(str(k)), write_words(str(v))] for k, v in sorted(values.items())],
            )
            if values
            else f"<h3>Options {escape(digest)}: {number} clips; no job's record has them</h3>"
        )
    when = f"Ingested from {made.first} to {made.last}." if made.first else "No clips."
    return f"<p>{escape(when)} Report by ttk {escape(report.tool_version)}.</p>" + "".join(parts)
