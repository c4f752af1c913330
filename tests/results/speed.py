"""Speed and memory, as `make bench` has measured them last."""

import json
from typing import Any

from tests.results.setup import ROOT, MissingDataError, Setup, Table

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


def run_speed(setup: Setup) -> dict[str, Table]:
    """The rows that the benchmarks left; tables of those that were not run stay as they are."""
    reports = sorted((ROOT / "runs").glob(REPORTS), key=lambda path: path.stat().st_mtime)
    if not reports:
        raise MissingDataError(f"no report of make bench in runs/{REPORTS}")
    found: dict[str, list[dict[str, Any]]] = {}
    for path in reports:
        for benchmark in json.loads(path.read_text("utf-8"))["benchmarks"]:
            found |= {k: v for k, v in benchmark["extra_info"].items() if k in TABLES.values()}
    return {name: Table(found[key]) for name, key in TABLES.items() if key in found}
