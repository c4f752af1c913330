"""Tables of results for the terminal."""

import math
from collections import Counter
from collections.abc import Sequence

import click

from toolkit.cli.tables import print_table
from zoo.evaluation.motion import MotionScores
from zoo.evaluation.studies.score import StudyScores
from zoo.evaluation.tables import write_interval
from zoo.metrics.error_rates import ALL, ErrorRates
from zoo.metrics.intervals import Interval


def print_errors(
    rates: Sequence[ErrorRates], judged: Sequence[ErrorRates] | None = None, judge: str = ""
) -> None:
    """A row per corpus; sentences that training has seen in a table of their own.

    Below them why utterances were not judged. Of a judge, whose label stands in the titles, the
    rates stand beside: `judged`, in the order of `rates`.
    """
    titles = {False: "Sentences that training has not seen", True: "Sentences seen in training"}
    columns = ["corpus", "utterances", "minutes", "CER", "WER"]
    if judged is not None:
        columns += ["judge CER", "judge WER"]
    for in_train, title in titles.items():
        rows = [
            [
                rate.corpus,
                str(rate.num_utterances),
                f"{rate.minutes:.1f}",
                *map(_write_rate, (rate.cer, rate.wer)),
                *map(_write_rate, (other.cer, other.wer) if judged is not None else ()),
            ]
            for rate, other in zip(rates, rates if judged is None else judged, strict=True)
            if rate.in_train == in_train
        ]
        if rows:
            print_table(f"{title}; judge: {judge}" if judge else title, columns, rows)
    doubts = sum((Counter(rate.not_judged) for rate in rates if rate.corpus == ALL), Counter())
    if doubts:
        reasons = ", ".join(f"{count} for {doubt}" for doubt, count in sorted(doubts.items()))
        text = f"Transcripts that are not judged, and are in none of the figures: {reasons}."
        click.echo(click.wrap_text(text, 80))


def print_scores(scores: Sequence[MotionScores]) -> None:
    """A row per method; then how each identity blinks, and whom the model was not trained on."""
    intervals = ("expression_error", "mouth_error", "mouth_correlation")
    errors = [
        [score.method, *(write_interval(getattr(score, name)) for name in intervals)]
        for score in scores
    ]
    print_table(
        "Generated motion beside the real one, with 95 % intervals",
        ("method", "expression, sd", "mouth, mm", "mouth r"),
        errors,
    )
    styles = scores[0].personalization
    ranges = [
        [
            score.method,
            f"{score.spectrum['mean']:.2f}",
            f"{score.pose_range:.2f}",
            *(f"{score.personalization[style]:.2f}" for style in styles),
        ]
        for score in scores
    ]
    print_table(
        "How it moves",
        ("method", "spectrum", "pose range", *(f"{style} style" for style in styles)),
        ranges,
    )
    _print_blinks(scores)
    unseen = next((score.unseen for score in scores if score.method == "model"), [])
    if unseen:
        text = (
            f"Unseen: the model was not trained on {', '.join(unseen)}; it begins their clips with "
            "the first frame of each and moves about its mean pose."
        )
        click.echo(click.wrap_text(text, 80))


def _print_blinks(scores: Sequence[MotionScores]) -> None:
    blinks = [
        [
            score.method,
            f"{identity}, unseen" if identity in score.unseen else identity,
            _write_share(rate),
            _write_share(score.blink_duration[identity]),
        ]
        for score in scores
        for identity, rate in score.blink_rate.items()
    ]
    print_table(
        "Blinks, found over real", ("method", "identity", "rate", "duration"), blinks, names=(0, 1)
    )


def _write_rate(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.3f}"


def _write_share(value: float | None) -> str:
    return "–" if value is None else f"{value:+.0%}"


def print_study(scores: StudyScores) -> None:
    """A row per system, 95 % intervals below it; then the rows that the paper prints."""
    protocol = scores.protocol
    names = [criterion.name for criterion in protocol.criteria]
    unit = ", %" if protocol.percent else ""
    rows = []
    for system, means in scores.means.items():
        values = [means[name] for name in names]
        numbers = ["–" if math.isnan(v.value) else f"{v.value:.2f}" for v in values]
        rows.append([system, str(scores.num_answers[system]), *numbers])
        rows.append(["", "", *map(_write_bounds, values)])
    head = ("system", "ratings", *(name + unit for name in names))
    count = len(scores.raters)
    print_table(f"Study {scores.study}: {count} rater{'s' * (count > 1)}", head, rows)
    published = [
        [method, *(f"{means[name]:.{2 if protocol.percent else 1}f}" for name in names)]
        for method, means in protocol.published.items()
    ]
    click.echo(f"{protocol.source}; of other videos and raters")
    print_table("", ("method", *(name + unit for name in names)), published)


def _write_bounds(mean: Interval) -> str:
    return "" if mean.low is None else f"[{mean.low:.1f}, {mean.high:.1f}]"
