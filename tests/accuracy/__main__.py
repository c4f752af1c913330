"""Measure everything and write the tables of docs/accuracy.md: `make accuracy`.

Samples are generated; real videos are used where TTK_REAL_DATA (else ../shared/data) holds them,
and the tables made from them are left as they are where it does not.
"""

import math
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.accuracy.blinks import measure_blinks
from tests.accuracy.clock import check_frame_counts
from tests.accuracy.marks import compare_landmarks
from tests.accuracy.model import measure_model
from tests.accuracy.openface import compare_openface
from tests.accuracy.real import find_data, ingest_real
from tests.accuracy.samples import (
    make_dataset,
    measure_clap_offset,
    measure_sample_blinks,
    measure_sample_mouth,
    measure_sample_pose,
)
from tests.accuracy.stills import compare_aflw2000

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "accuracy.md"
Rows = Sequence[Mapping[str, Any]]


def main() -> None:
    """Measure, print, and write the page."""
    out = Path(os.environ.get("TTK_ACCURACY", ROOT / "runs" / "accuracy"))
    workers = len(os.sched_getaffinity(0))
    samples = make_dataset(out / "samples", workers, clap=False)
    claps = make_dataset(out / "claps", workers, clap=True)
    tables: dict[str, Callable[[], Rows]] = {
        "sample-blinks": lambda: [measure_sample_blinks(samples)],
        "sample-pose": lambda: measure_sample_pose(samples),
        "sample-mouth": lambda: [{"median r": measure_sample_mouth(samples)}],
        "claps": lambda: [measure_clap_offset(claps)],
    }
    folder = find_data()
    if folder is None:
        print("no real videos: their tables stay as they are", file=sys.stderr)
    else:
        clips = ingest_real(folder, out / "real", workers)
        tables |= {
            "real-blinks": lambda: measure_blinks(clips, folder),
            "openface": lambda: compare_openface(clips, folder),
            "aflw2000": lambda: compare_aflw2000(folder),
            "landmarks": lambda: list(compare_landmarks(folder)),
            "face-model": lambda: measure_model(clips),
            "frame-counts": lambda: [check_frame_counts(clips)],
        }
    for name, measure in tables.items():
        began = time.perf_counter()
        table = write_table(measure())
        print(f"\n## {name} ({time.perf_counter() - began:.1f} s)\n\n{table}", flush=True)
        replace_table(PAGE, name, table)


def write_table(rows: Rows) -> str:
    """A Markdown table; numbers with three digits."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, ["---"] * len(columns)]
    lines += [[_write_cell(row.get(name, "")) for name in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _write_cell(value: Any) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "–"
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)


def replace_table(page: Path, name: str, table: str) -> None:
    """Put a table between its markers; ValueError where the page has none."""
    text = page.read_text("utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{page} has no markers for {name}")
    page.write_text(pattern.sub(lambda m: f"{m[1]}\n{table}\n\n{m[2]}", text), "utf-8")


if __name__ == "__main__":
    main()
