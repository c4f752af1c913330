"""Tables and bars for the terminal, readable at 80 columns and up."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from toolkit.dataset.blink_stats import HUMAN_INTERVAL, HUMAN_RATE, STRETCH, BlinkStats
from toolkit.dataset.duplicates import DuplicateGroup, Duplicates
from toolkit.dataset.find import describe_scraps
from toolkit.dataset.split import SplitReport
from toolkit.dataset.stats import ClipStats, YieldFunnel
from toolkit.dataset.stats_text import (
    AXES,
    list_funnel,
    list_numbers,
    write_hours,
    write_number,
    write_share,
)
from toolkit.names import write_name

if TYPE_CHECKING:
    import pandas as pd

EIGHTHS = " ▏▎▍▌▋▊▉█"
BAR = 40
"""Columns of the longest bar."""

_MOST_COPIES = 1000
"""Files named of one group of copies."""

WIDTH = 100
"""Columns where the output is no terminal."""

MIN_NAME = 16
"""Columns of a name at least, however narrow the terminal."""


def print_table(
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    gap: int = 2,
    names: Sequence[int] = (0,),
) -> None:
    """A table on stdout, an empty line behind it.

    `names` are columns of names: to the left, and their middles left out where the table would
    be wider than the terminal.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    rows = _fit_names(
        [[write_name(cell) for cell in row] for row in rows], head, gap, names, console.width
    )
    table = Table(
        title=title, title_justify="left", box=None, pad_edge=False, padding=(0, gap, 0, 0)
    )
    for index, name in enumerate(head):
        justify = "left" if index in (0, *names) else "right"
        table.add_column(escape(name), justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)
    console.print()


def _fit_names(
    rows: list[list[str]], head: Sequence[str], gap: int, names: Sequence[int], width: int
) -> list[list[str]]:
    """The rows, with names so short that the other columns need not be broken, if that can be."""
    sizes = [max(map(cell_len, column)) for column in zip(head, *rows, strict=True)]
    room = width - gap * (len(head) - 1)
    room -= sum(size for index, size in enumerate(sizes) if index not in names)
    for num_left, index in zip(
        range(len(names), 0, -1), sorted(names, key=sizes.__getitem__), strict=True
    ):
        sizes[index] = min(sizes[index], max(MIN_NAME, room // num_left))
        room -= sizes[index]
    return [[shorten(cell, size) for cell, size in zip(row, sizes, strict=True)] for row in rows]


def shorten(text: str, width: int) -> str:
    """The text, its middle left out where it takes more than `width` columns of a terminal."""
    if cell_len(text) <= width:
        return text
    head = set_cell_size(text, width // 2).rstrip()
    tail = set_cell_size(text[::-1], width - 1 - cell_len(head)).rstrip()[::-1]
    return f"{head}…{tail}"


# --- split --------------------------------------------------------------------------------------


def print_split(report: SplitReport, by: str) -> None:
    """Clips, minutes and identities per part, and how closely the ratio is met."""
    rows = [
        [
            part.name,
            str(part.num_clips),
            f"{part.minutes:.1f}",
            str(part.num_frames),
            str(part.num_sources),
            str(part.num_identities),
            write_share(part.share),
            write_share(part.asked),
        ]
        for part in report.parts
    ]
    head = ("part", "clips", "minutes", "frames", "sources", "identities", "share", "asked for")
    print_table(f"Split by {by}, shares in frames", head, rows)
    click.echo(
        f"Shares are met within {100 * report.deviation:.1f} points; the largest {by} holds "
        f"{write_share(report.largest_group)} of all frames."
    )
    if report.num_known or not report.doubts:
        click.echo(_explain_split(report, by))
    if report.shared_identities:
        names, number = report.shared_identities, len(report.shared_identities)
        shown = ", ".join(map(write_name, names[:5])) + (" …" if number > 5 else "")
        click.echo(f"Identities that stand in more than one part: {number} ({shown})")
    for doubt in report.doubts:
        click.echo(f"One person in several parts? {write_name(doubt)}")
    print_duplicates(report.joined, f"Copies of one recording are one {by}")
    if report.num_unknown:
        click.echo(_explain_unknown(report.num_unknown))
    click.echo(f"{report.num_kept} clips keep the part they had; {report.num_new} are new.")


def _explain_split(report: SplitReport, by: str) -> str:
    """What a model that is trained on train is measured on where it is tested."""
    known, tested = report.num_known, report.num_tested
    if not known:
        how = "source" if by == "identity" else "clip"
        return (
            "No person of test is in train: test measures how a model does with new people.\n"
            f"To test on people it knows: ttk split --by {how} --reassign."
        )
    who = (
        "Every person of test is" if known == tested else f"{known} of {tested} people of test are"
    )
    return (
        f"{who} in train: test measures new {'clips' if by == 'clip' else 'videos'} of known "
        "people.\nTo test on new people: ttk split --by identity --reassign."
    )


# --- duplicates ---------------------------------------------------------------------------------


def print_duplicates(groups: Sequence[DuplicateGroup], title: str, most: int = 5) -> None:
    """Up to so many groups of copies, what of them agrees, and for how long."""
    if not groups:
        return
    click.echo(f"{title}: {len(groups)}")
    for group in groups[:most]:
        click.echo(f"  {group.why} agree, up to {group.seconds:.1f} s:")
        for source in group.sources[:most]:
            click.echo(f"    {write_name(source)}")
        if len(group.sources) > most:
            click.echo(f"    … ({len(group.sources)})")
    if len(groups) > most:
        click.echo("  … all of them: ttk stats --duplicates")


def print_all_duplicates(found: Duplicates) -> None:
    """Every group of copies."""
    print_duplicates(found.groups, "Copies of one recording", max(len(found.groups), _MOST_COPIES))
    if not found.groups:
        click.echo("no copies of one recording found")
    if found.num_unknown:
        click.echo(_explain_unknown(found.num_unknown))
    click.echo()


def _explain_unknown(number: int) -> str:
    return (
        f"{number} clips have no fingerprint, so no copies of them are found:\n"
        "ingest their videos again, into a new folder."
    )


# --- rejected -----------------------------------------------------------------------------------


def print_stretches(rejected: "pd.DataFrame", scraps: dict[str, int]) -> None:
    """Two lines for each rejected stretch: its place and reason, and the message."""
    for row in rejected.itertuples(index=False):
        end = float(row.start) + float(row.duration)  # type: ignore[arg-type]
        place = f"{row.start:.2f}–{end:.2f} s" if row.duration else "the whole file"
        click.echo(write_name(f"{row.source}: {place}: {row.reason}"))
        click.echo(write_name(f"    {row.message}"))
    if scraps:
        click.echo(describe_scraps(scraps))
    if rejected.empty and not scraps:
        click.echo("nothing turned down")


# --- statistics ---------------------------------------------------------------------------------


def print_clips(groups: Sequence[ClipStats], by: str | None) -> None:
    """One list for the whole, or one row per group."""
    if by is None:
        print_table("Clips", ("", ""), list_numbers(groups[0]))
        return
    head = (
        by, "clips", "min", "frames", "valid", "face", "sharp", "pitch/yaw/roll", "speech", "mouth",
    )  # fmt: skip
    print_table(f"Clips by {by}", head, [_list_row(group) for group in groups], gap=1)
    click.echo(
        "valid, speech: %; face: height, px; sharp: variance of the Laplacian;\n"
        "pitch/yaw/roll: range within a clip, °; mouth: correlation of opening and loudness.\n"
    )


def _list_row(group: ClipStats) -> list[str]:
    return [
        group.name,
        str(group.num_clips),
        f"{group.minutes:.1f}",
        str(group.num_frames),
        write_number(group.valid_share, ".0%").removesuffix("%"),
        write_number(group.face_size, ".0f"),
        write_number(group.sharpness, ".0f"),
        "/".join(write_number(getattr(group, f"{axis}_range"), ".0f") for axis in AXES),
        write_number(group.speech_share, ".0%").removesuffix("%"),
        write_number(group.mouth_audio_corr),
    ]


def print_funnel(funnel: YieldFunnel) -> None:
    """What became of the input: time in, time out, time turned down per reason."""
    rows = [
        [
            label,
            number,
            "" if hours is None else write_hours(hours),
            "" if share is None else write_share(share),
        ]
        for label, number, hours, share in list_funnel(funnel)
    ]
    print_table("Yield", ("", "number", "time", "share"), rows)
    if funnel.num_slow_sources:
        click.echo(
            f"{funnel.num_slow_sources} of {funnel.num_sources} sources have 25 pictures a second, "
            "or nearly: on a clock of 30, one frame in\nsix shows the picture before it again. "
            "ttk ingest --fps 25, into another --out, avoids it.\n"
        )


# --- blinks -------------------------------------------------------------------------------------


def print_blinks(total: BlinkStats, groups: Sequence[BlinkStats]) -> None:
    """Rates and durations per group, and the distributions of all clips as bars."""
    rows = [
        [
            group.name,
            str(group.num_blinks),
            f"{group.valid_seconds / 60:.1f}",
            write_number(group.rate),
            write_number(group.duration, ".2f", " s"),
            write_number(group.interval, ".2f", " s"),
        ]
        for group in groups
    ]
    head = ("", "blinks", "valid min", "blinks/s", "duration", "onset to onset")
    print_table("Blinks", head, rows)
    click.echo(
        f"People, as the papers have it: {HUMAN_RATE[0]}–{HUMAN_RATE[1]} blinks/s; "
        f"{HUMAN_INTERVAL} s, which they call inter-blink duration.\n"
    )
    _print_bars(
        f"Blinks in {STRETCH:g}-second stretches ({sum(total.stretches)} stretches)",
        [(str(count), number) for count, number in enumerate(total.stretches)],
    )
    first = next((i for i, number in enumerate(total.durations) if number), 0)
    _print_bars(
        f"Duration of a blink ({sum(total.durations)} blinks)",
        [
            (f"{frames / total.fps:.2f} s", number)
            for frames, number in enumerate(total.durations)
            if frames >= first
        ],
    )


def _print_bars(title: str, counts: Sequence[tuple[str, int]]) -> None:
    total = sum(number for _, number in counts)
    if not total:
        return
    click.echo(title)
    highest, width = max(number for _, number in counts), max(len(name) for name, _ in counts)
    for name, number in counts:
        share = f"{100 * number / total:5.1f} %"
        click.echo(f"  {name:>{width}}  {share}  {draw_bar(number / highest)}".rstrip())
    click.echo()


def draw_bar(share: float) -> str:
    """A bar of `share · BAR` columns, to an eighth of one."""
    eighths = round(share * BAR * 8)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()
