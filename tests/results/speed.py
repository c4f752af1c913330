"""Speed and memory, as `make bench` has measured them last."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.results.setup import ROOT, MissingDataError, Setup, Table
from zoo.evaluation.tables import judge

REPORTS = "bench*.json"
"""In runs/; later ones replace what earlier ones say of the same benchmark."""

TABLES = {
    "speed-training": "training",
    "speed-networks": "networks",
    "speed-processes": "processes",
    "speed-generation": "generation",
    "memory": "memory",
    "speed-rasteriser": "rasteriser",
    "speed-renderer": "renderer training",
    "speed-video": "video",
}
"""Marker of the page -> key of a benchmark's `extra_info` under which its rows stand."""


FRAMES_A_SECOND = 37.0
"""Of all of `zoo synthesize`, the least that is asked of two threads."""


def run_speed(setup: Setup) -> dict[str, Table]:
    """The rows that the benchmarks left; tables of those that were not run stay as they are."""
    reports = sorted((ROOT / "runs").glob(REPORTS), key=lambda path: path.stat().st_mtime)
    if not reports:
        raise MissingDataError(f"no report of make bench in runs/{REPORTS}")
    found: dict[str, list[dict[str, Any]]] = {}
    for path in reports:
        for benchmark in json.loads(path.read_text("utf-8"))["benchmarks"]:
            found |= {k: v for k, v in benchmark["extra_info"].items() if k in TABLES.values()}
    tables = {name: Table(found[key]) for name, key in TABLES.items() if key in found}
    return tables | {"speed-targets": Table(list(judge_speed(found.get("video", []))))}


def judge_speed(rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Whether films of the preset small are drawn fast enough by two threads."""
    for row in rows:
        if (row["preset"], row["on"]) == ("small", "CPU, 2 threads"):
            what = "frames a second in all, small, two threads"
            yield judge(what, FRAMES_A_SECOND, row["in all"], most=False)
