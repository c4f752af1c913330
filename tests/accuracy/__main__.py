"""Measure everything and write the tables of docs/accuracy.md: `make accuracy`.

Those whose names begin with `metrics-` stand in docs/metrics.md.

Samples are generated; real videos are used where TTK_REAL_DATA (else ../shared/data) holds them,
and the tables made from them are left as they are where it does not. Arguments choose tables by
the beginnings of their names: `python -m tests.accuracy speech`.
"""

import argparse
import functools
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tests import ROOT
from tests.accuracy.blinks import measure_blinks
from tests.accuracy.clock import check_frame_counts
from tests.accuracy.copies import list_tables as list_copy_tables
from tests.accuracy.marks import compare_landmarks
from tests.accuracy.model import measure_model
from tests.accuracy.moves import list_tables as list_metric_tables
from tests.accuracy.openface import compare_openface
from tests.accuracy.real import RealClip, find_data, ingest_real
from tests.accuracy.samples import (
    make_dataset,
    measure_clap_offset,
    measure_sample_blinks,
    measure_sample_mouth,
    measure_sample_pose,
)
from tests.accuracy.speech import find_speech_weights, open_teacher
from tests.accuracy.speech import list_tables as list_speech_tables
from tests.accuracy.stills import compare_aflw2000
from zoo.evaluation.tables import Rows, replace_table, write_table

PAGE = ROOT / "docs" / "accuracy.md"
METRICS_PAGE = PAGE.with_name("metrics.md")
FIGURE = PAGE.parent / "figures" / "probe_noise.png"
PICTURES = {"speech-noise": f"\n\n![The probe's error against the noise](figures/{FIGURE.name})"}
"""What stands under a table."""


def main() -> None:
    """Measure, print, and write the page: all tables, or those that begin with an argument."""
    out = Path(os.environ.get("TTK_ACCURACY", ROOT / "runs" / "accuracy"))
    workers = len(os.sched_getaffinity(0))
    tables: dict[str, Callable[[], Rows | str]] = {**list_sample_tables(out, workers)}
    folder = find_data()
    if folder is None:
        print("no real videos: their tables stay as they are", file=sys.stderr)
    else:
        tables |= list_real_tables(folder, out, workers) | list_metric_tables(folder)
        tables |= list_copy_tables(folder, out / "copies", workers)
        weights = find_speech_weights()
        if weights is None:
            print("no trained weights: the speech tables stay as they are", file=sys.stderr)
        else:
            tables |= list_speech_tables(
                folder, weights, out / "speech", FIGURE, workers, open_teacher()
            )
    for name in choose_tables(tables):
        began = time.perf_counter()
        found = tables[name]()
        table = found if isinstance(found, str) else write_table(found)
        table += PICTURES.get(name, "")
        print(f"\n## {name} ({time.perf_counter() - began:.1f} s)\n\n{table}", flush=True)
        replace_table(METRICS_PAGE if name.startswith("metrics-") else PAGE, name, table)


def choose_tables(names: Iterable[str], words: list[str] | None = None) -> list[str]:
    """Those of these tables that were asked for: all, or those that begin with one of the words.

    Exits with 2 where a word begins none, and with 0 behind the help.
    """
    known = list(names)
    parser = argparse.ArgumentParser(
        prog="python -m tests.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    chosen = parser.parse_args(words).names
    for word in chosen:
        if not any(name.startswith(word) for name in known):
            parser.error(f"no table begins with {word!r}: choose from {', '.join(known)}")
    return [name for name in known if name.startswith(tuple(chosen) or "")]


def list_sample_tables(out: Path, workers: int) -> dict[str, Callable[[], Rows]]:
    """Name of each table made from generated samples -> what measures it."""

    @functools.cache
    def make(clap: bool) -> Path:
        return make_dataset(out / ("claps" if clap else "samples"), workers, clap=clap)

    return {
        "sample-blinks": lambda: [measure_sample_blinks(make(False))],
        "sample-pose": lambda: measure_sample_pose(make(False)),
        "sample-mouth": lambda: [{"median r": measure_sample_mouth(make(False))}],
        "claps": lambda: [measure_clap_offset(make(True))],
    }


def list_real_tables(folder: Path, out: Path, workers: int) -> dict[str, Callable[[], Rows]]:
    """Name of each table made from real videos and pictures -> what measures it."""

    @functools.cache
    def clips() -> list[RealClip]:
        return ingest_real(folder, out / "real", workers)

    return {
        "real-blinks": lambda: measure_blinks(clips(), folder),
        "openface": lambda: compare_openface(clips(), folder),
        "aflw2000": lambda: compare_aflw2000(folder),
        "landmarks": lambda: list(compare_landmarks(folder)),
        "face-model": lambda: measure_model(clips()),
        "frame-counts": lambda: [check_frame_counts(clips())],
    }


if __name__ == "__main__":
    main()
