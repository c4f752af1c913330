"""Statistics in words: what `ttk stats` and `ttk report` write of the same numbers."""

from collections.abc import Iterator

from toolkit.dataset.stats import ClipStats, YieldFunnel

AXES = ("pitch", "yaw", "roll")

UNKNOWN = "–"


def write_number(value: float | None, form: str = ".2f", unit: str = "") -> str:
    """A number with its unit, or a dash for None."""
    return UNKNOWN if value is None else f"{value:{form}}{unit}"


def write_share(value: float | None) -> str:
    """A share of 0 to 1 in percent, or a dash for None."""
    return UNKNOWN if value is None else f"{100 * value:.1f} %"


def write_hours(hours: float) -> str:
    """Hours, or minutes where it is less than one."""
    return f"{hours:.2f} h" if abs(hours) >= 1 else f"{60 * hours:.1f} min"


def list_numbers(group: ClipStats) -> list[list[str]]:
    """Pairs of what a number is and the number."""
    poses = [
        [
            f"{axis}, range in a clip (median); extremes",
            f"{write_number(getattr(group, f'{axis}_range'), '.0f', '°')}; "
            f"{write_number(getattr(group, f'{axis}_low'), '.0f', '°')} to "
            f"{write_number(getattr(group, f'{axis}_high'), '.0f', '°')}",
        ]
        for axis in AXES
    ]
    return [
        ["clips", str(group.num_clips)],
        ["identities", str(group.num_identities)],
        ["sources", str(group.num_sources)],
        ["minutes", f"{group.minutes:.1f}"],
        ["frames", str(group.num_frames)],
        ["valid frames", write_share(group.valid_share)],
        ["frames with a new picture", write_share(group.picture_share)],
        ["face height (median)", write_number(group.face_size, ".0f", " px")],
        ["sharpness (median variance of the Laplacian)", write_number(group.sharpness, ".0f")],
        ["crop outside the picture", write_share(group.outside_share)],
        *poses,
        ["time with speech", write_share(group.speech_share)],
        ["mouth–audio correlation (median)", write_number(group.mouth_audio_corr)],
        [
            "mouth–audio lag, if sure (median; > 0: late)",
            write_number(group.mouth_audio_lag, ".2f", " s"),
        ],
    ]


def list_funnel(funnel: YieldFunnel) -> Iterator[tuple[str, str, float | None, float | None]]:
    """What became of the input, line by line: of what, how many, hours, share of the input.

    Lines of reasons begin with two spaces; the shares of clips, excluded ones, reasons and rest add
    up to 1.
    """

    def share(hours: float) -> float | None:
        return hours / funnel.hours_in if funnel.hours_in else None

    yield "in", f"{funnel.num_sources} sources", funnel.hours_in, None
    yield "out", f"{funnel.num_clips} clips", funnel.hours_out, share(funnel.hours_out)
    if funnel.num_excluded:
        excluded = funnel.hours_excluded
        yield "excluded", f"{funnel.num_excluded} clips", excluded, share(excluded)
    yield "turned down" if funnel.rejected else "nothing turned down", "", None, None
    for entry in funnel.rejected:
        number = f"{entry.num_stretches} stretches"
        yield f"  {entry.reason}", number, entry.hours, share(entry.hours)
    if abs(funnel.other) * 3600 >= 1:
        yield "between clips", "", funnel.other, share(funnel.other)
