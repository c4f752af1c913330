"""Histograms as SVG within a page: its style colours them, in light and in dark."""

import math

import numpy as np

from toolkit.dataset.stats_plot import Distribution
from toolkit.page import escape

WIDTH, HEIGHT = 340, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 10, 24
"""Margins, px."""

_NUM_TICKS = 6


def draw_histogram(distribution: Distribution) -> str:
    """A figure of the first group: pointing at a bar shows its numbers.

    The shaded range is that of people's mean, where the papers state one.
    """
    edges, counts, shares = distribution.edges, distribution.counts[0], distribution.shares[0]
    highest = max(float(shares.max()), 1e-9)
    steps = find_ticks(0.0, highest, 4)
    top = max(highest, steps[-1])

    def place(value: float) -> float:
        share = (value - float(edges[0])) / float(edges[-1] - edges[0])
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * share

    def rise(share: float) -> float:
        return (HEIGHT - _TOP - _BOTTOM) * share / top

    floor = HEIGHT - _BOTTOM
    parts = []
    for share in steps:
        y = floor - rise(share)
        parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_write(_LEFT - 5, y + 4, f"{share:g} %", "end"))
    for left, right, count, share in zip(edges, edges[1:], counts, shares, strict=False):
        x, width, height = place(left), place(right) - place(left), rise(share)
        gap = min(1.0, width / 4)
        where = f"{left:.3g} to {right:.3g}"
        if distribution.of != "clips":
            where = f"{(left + right) / 2:.3g}"
        parts.append(
            f'<rect class="bar" x="{x + gap / 2:.1f}" y="{floor - height:.1f}" '
            f'width="{width - gap:.1f}" height="{height:.1f}"><title>'
            f"{where}: {count:.0f} {distribution.of}, {share:.1f} %</title></rect>"
        )
    if distribution.human is not None:
        low, high = map(place, np.clip(distribution.human, edges[0], edges[-1]).tolist())
        parts.append(
            f'<rect class="band" x="{low:.1f}" y="{_TOP}" width="{high - low:.1f}" '
            f'height="{floor - _TOP}"/>'
        )
    whole = distribution.of == "stretches"
    for tick in find_ticks(float(edges[0]), float(edges[-1]), _NUM_TICKS, whole=whole):
        parts.append(_write(place(tick), HEIGHT - 8, f"{tick:g}", "middle"))
    title, number = escape(distribution.title), f"{counts.sum():.0f} {distribution.of}"
    number += "" if distribution.human is None else "; shaded: mean of people"
    return (
        f'<figure class="bars"><figcaption><b>{title}</b>, {number}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
        f"{''.join(parts)}</svg></figure>"
    )


def find_ticks(low: float, high: float, number: int, *, whole: bool = False) -> list[float]:
    """Round values within a range, at most `number` + 1: multiples of 1, 2 or 5 times 10^k."""
    least = (high - low) / number
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
    step = max(step, 1.0) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 10) + 0.0 for k in range(first, last + 1)]


def _write(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
