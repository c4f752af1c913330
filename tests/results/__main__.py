"""Train FACIAL-GAN and renderers, measure them, write docs/results.md's tables: `make results`.

Arguments choose steps by name. What is trained already is not trained again; what was killed goes
on. Everything lies in runs/results, or where TTK_RESULTS says. Real speech and videos are used
where TTK_REAL_DATA (else ../shared/data) holds them; steps without their data leave their tables
as they are. `--rehearse` runs everything once as small as can be, and leaves the page alone.
"""

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.results.ablations import run_ablations
from tests.results.atvg import ATVG
from tests.results.cascaded import CASCADED
from tests.results.evaluated import run_evaluation
from tests.results.eyes import run_eyes
from tests.results.grid import run_grid
from tests.results.killed import run_killed
from tests.results.minutes import run_minutes
from tests.results.people import run_personalization
from tests.results.perceptual import run_judges
from tests.results.real import run_real
from tests.results.reenactment import run_audio_reenactment, run_reenactment
from tests.results.renderers import run_renderers
from tests.results.setup import (
    ATVG_PAGE,
    CASCADED_PAGE,
    OUT,
    PAGE,
    STYLEHEAT_PAGE,
    MissingDataError,
    Setup,
    Table,
    make_rehearsal,
)
from tests.results.sheet import run_sheet
from tests.results.speed import run_speed
from tests.results.spoken import run_synthesis
from tests.results.styleheat import STYLEHEAT
from tests.results.synthetic import run_a, run_b, run_gan_weight, run_long
from zoo.evaluation.tables import replace_table, write_table

STEPS: dict[str, Callable[[Setup], dict[str, Table]]] = {
    "variant-a": run_a,
    "variant-b": run_b,
    "ablations": run_ablations,
    "gan-weight": run_gan_weight,
    "long": run_long,
    "real": lambda setup: run_real(setup, len(os.sched_getaffinity(0))),
    "grid": run_grid,
    "personalize": run_personalization,
    "killed": run_killed,
    "reenact": run_reenactment,
    "reenact-audio": run_audio_reenactment,
    "evaluate": run_evaluation,
    "eyes": run_eyes,
    "synthesize": run_synthesis,
    "sheet": run_sheet,
    "renderers": run_renderers,
    "minutes": run_minutes,
    "judges": run_judges,
    "speed": run_speed,
    **CASCADED,
    **ATVG,
    **STYLEHEAT,
}

GROUPS = {"cascaded": tuple(CASCADED), "atvg": tuple(ATVG), "styleheat": tuple(STYLEHEAT)}
"""A name for several steps."""

PAGES = {
    **dict.fromkeys(CASCADED, CASCADED_PAGE),
    **dict.fromkeys(ATVG, ATVG_PAGE),
    **dict.fromkeys(STYLEHEAT, STYLEHEAT_PAGE),
}
"""Step -> where its tables stand, if not in docs/results.md."""


def main() -> None:
    """Run all steps, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.results", description=__doc__)
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join([*STEPS, *GROUPS]))
    parser.add_argument("--rehearse", action="store_true", help="Tiny runs; the page stays.")
    parser.add_argument(
        "--weights", type=Path, metavar="FILE",
        help="Another acoustic model, whose scores the step grid compares with the shipped one's.",
    )  # fmt: skip
    parser.add_argument(
        "--before", type=Path, metavar="FOLDER",
        help="Another build's dataset, films and runs, that renderers and minutes compare with.",
    )  # fmt: skip
    parser.add_argument(
        "--renderer-base", type=Path, metavar="FILE",
        help="Renderer of other people that minutes begins with, not the woman's, and renderers "
        "for all but the man.",
    )  # fmt: skip
    given = parser.parse_args()
    steps = [step for name in given.steps for step in GROUPS.get(name, (name,))]
    if unknown := sorted(set(steps) - STEPS.keys()):
        parser.error(f"no step {unknown[0]}: choose from {', '.join(STEPS)}")
    if given.weights and not given.weights.is_file():
        parser.error(f"--weights {given.weights}: no such file")
    if given.before and not given.before.is_dir():
        parser.error(f"--before {given.before}: no such folder")
    if given.renderer_base and not given.renderer_base.is_file():
        parser.error(f"--renderer-base {given.renderer_base}: no such file")
    setup = make_rehearsal(OUT / "rehearsal") if given.rehearse else Setup(out=OUT)
    setup = dataclasses.replace(
        setup,
        weights=given.weights,
        before=given.before and given.before.resolve(),
        renderer_base=given.renderer_base and given.renderer_base.resolve(),
    )
    for name in steps or STEPS:
        run_step(name, setup, writes=not given.rehearse)


def run_step(name: str, setup: Setup, *, writes: bool) -> None:
    """Measure, print, and (`writes`) put the tables on the page."""
    began = time.perf_counter()
    try:
        tables = STEPS[name](setup)
    except MissingDataError as error:
        print(f"{name}: {error}: its tables stay as they are", file=sys.stderr)
        return
    print(f"\n# {name} ({time.perf_counter() - began:.0f} s)", flush=True)
    for key, table in tables.items():
        text = write_content(table)
        print(f"\n## {key}\n\n{text}", flush=True)
        if writes:
            replace_table(PAGES.get(name, PAGE), key, text)


def write_content(table: Table) -> str:
    """A table's rows, its picture below."""
    parts = [write_table(table.rows)] if table.rows else []
    if table.figure is not None:
        parts.append(f"![{table.caption}](figures/{table.figure.name})")
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
