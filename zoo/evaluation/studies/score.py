"""Files of answers to the paper's table: means, intervals, and what is missing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import SetupError
from zoo.evaluation.studies.make import Study, read_study
from zoo.evaluation.studies.page import name_answers
from zoo.evaluation.studies.protocols import PROTOCOLS, Protocol
from zoo.metrics.intervals import Interval

NUM_RESAMPLES = 2000

Answers = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Rater -> hidden name of a video -> criterion -> number."""


@dataclass(frozen=True, kw_only=True)
class StudyScores:
    """What a study says.

    Attributes:
        study: its id.
        protocol: what was asked.
        raters: whose files there are.
        num_answers: system -> videos that were judged, counted once for each rater.
        means: system -> criterion -> mean, NaN without answers, and its 95 % interval.
        missing: a sentence for each rater without a file or with videos left out.
    """

    study: str
    protocol: Protocol
    raters: tuple[str, ...]
    num_answers: Mapping[str, int]
    means: Mapping[str, Mapping[str, Interval]]
    missing: tuple[str, ...]


def score_study(answers: Path) -> StudyScores:
    """Score the `.json` files of a folder `answers/`, beside the `study.json` they answer.

    Intervals are percentiles of a bootstrap over raters, as answers of one rater are not
    independent; there are none of a single rater.
    Means of a protocol in percent are shares of its highest answer.

    Raises:
        SetupError: no files, one of another study, of an unknown rater, two of one rater, or an
            answer that the page does not offer.
    """
    study = read_study(answers.resolve().parent)
    protocol = PROTOCOLS[study.protocol]
    given = read_answers(answers, study)
    means = {
        system: {
            criterion.name: _average(given, study, system, criterion.name, _find_unit(protocol))
            for criterion in protocol.criteria
        }
        for system in study.systems
    }
    return StudyScores(
        study=study.id,
        protocol=protocol,
        raters=tuple(given),
        num_answers={
            system: sum(
                study.videos[v][0] == system
                for sheet in given.values()
                for v, scores in sheet.items()
                if scores
            )
            for system in study.systems
        },
        means=means,
        missing=tuple(_list_missing(study, protocol, given)),
    )


def read_answers(folder: Path, study: Study) -> Answers:
    """What raters of a study answered, sorted by rater; SetupError as `score_study` says."""
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise SetupError(f"{folder}: no answers: put the files that raters saved there")
    found: dict[str, tuple[Path, Mapping[str, Mapping[str, int]]]] = {}
    for path in paths:
        rater, scores = _read_file(path, study)
        if rater in found:
            raise SetupError(
                f"{path}: rater {rater} answers in {found[rater][0].name} too: remove one of them"
            )
        found[rater] = path, scores
    return {rater: found[rater][1] for rater in sorted(found)}


def _read_file(path: Path, study: Study) -> tuple[str, dict[str, dict[str, int]]]:
    try:
        content = json.loads(path.read_text("utf-8"))
        named, rater = content["study"], content["rater"]
        rows = [(row["video"], dict(row["scores"])) for row in content["answers"]]
    except (ValueError, KeyError, TypeError) as error:
        raise SetupError(f"{path}: damaged, or no answers of a study") from error
    if named != study.id:
        raise SetupError(f"{path}: answers study {named}, and this one is {study.id}")
    videos = next((sheet.videos for sheet in study.sheets if sheet.rater == rater), None)
    if videos is None:
        raise SetupError(f"{path}: this study has no rater {rater}")
    for video, scores in rows:
        if video not in videos:
            raise SetupError(f"{path}: rater {rater} was not shown video {video}")
        _check_scores(path, video, scores, PROTOCOLS[study.protocol])
    if len({video for video, _ in rows}) < len(rows):
        raise SetupError(f"{path}: judges a video twice")
    return rater, dict(rows)


def _check_scores(path: Path, video: str, scores: Mapping[str, Any], protocol: Protocol) -> None:
    labels = {criterion.name: criterion.labels for criterion in protocol.criteria}
    for name, value in scores.items():
        if type(value) is not int or value not in labels.get(name, ()):
            raise SetupError(f"{path}: video {video}: {name} {value!r} is not among the answers")


def _find_unit(protocol: Protocol) -> float:
    """What an answer of 1 counts."""
    return 100 / max(protocol.criteria[0].labels) if protocol.percent else 1.0


def _average(given: Answers, study: Study, system: str, criterion: str, unit: float) -> Interval:
    sums, counts = (
        np.array(values, np.float64)
        for values in zip(*_add_up(given, study, system, criterion), strict=True)
    )
    if not counts.sum():
        return Interval(float("nan"), None, None)
    mean = float(sums.sum() / counts.sum() * unit)
    if len(sums) < 2:
        return Interval(mean, None, None)
    drawn = np.random.default_rng(0).integers(len(sums), size=(NUM_RESAMPLES, len(sums)))
    totals = counts[drawn].sum(axis=1)
    means = sums[drawn].sum(axis=1)[totals > 0] / totals[totals > 0]
    low, high = np.quantile(means, (0.025, 0.975)) * unit
    return Interval(mean, float(low), float(high))


def _add_up(given: Answers, study: Study, system: str, criterion: str) -> Sequence[tuple[int, int]]:
    """Sum and number of each rater's answers."""
    values = [
        [s[criterion] for v, s in sheet.items() if study.videos[v][0] == system and criterion in s]
        for sheet in given.values()
    ]
    return [(sum(row), len(row)) for row in values]


def _list_missing(study: Study, protocol: Protocol, given: Answers) -> list[str]:
    lines = []
    for sheet in study.sheets:
        if sheet.rater not in given:
            lines.append(f"rater {sheet.rater}: no {name_answers(study.id, sheet.rater)}")
            continue
        answers = given[sheet.rater]
        open_ = [v for v in sheet.videos if len(answers.get(v, ())) < len(protocol.criteria)]
        if open_:
            lines.append(f"rater {sheet.rater}: not fully answered: {', '.join(open_)}")
    return lines
