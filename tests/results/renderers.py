"""Renderers of four people on held-out frames, beside what is real and another build's films."""

import itertools
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.results.films import (
    CROP,
    SOURCE,
    Films,
    draw_films,
    encode_stored,
    read_source,
    write_overview,
)
from tests.results.four import list_sitters, train_sitter
from tests.results.judged import Judged
from tests.results.reenactment import describe_run
from tests.results.setup import Setup, Table, divide
from zoo.evaluation.figures import pick
from zoo.evaluation.films import ACROSS, BESIDE, RING, measure_edges, measure_likeness
from zoo.evaluation.lids import score_blinks, score_short_blinks
from zoo.evaluation.recognition import explain_recogniser
from zoo.evaluation.still import choose_looks, find_background, find_still_skin
from zoo.evaluation.tables import judge
from zoo.evaluation.videos import Floats, Shown, look_at, measure_lmd, score_shown
from zoo.metrics.events import Tally
from zoo.metrics.pictures import Picture
from zoo.metrics.series import average_known
from zoo.metrics.stillness import Region

STORED, DRAWN, BEFORE = "stored frames", "renderer", "before"

DISTANCE, LMD, STEP = "face distance", "mouth LMD, px", "border step"
RING_ERROR = "ring error"

MOST_DISTANCE = 0.30
"""Of two frames of one clip, by the same recogniser."""

SHARPNESS_OFF, LEAST_AU45 = 0.10, 0.97

SKIN, BACKGROUND = "still skin", "background"
"""Mean change from frame to frame, levels."""

LMD_SHARE, EDGE_SHARE = 0.75, 0.5
"""Of the other build's, the most that is asked."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Scores:
    """One row of the table.

    Attributes:
        row: column -> value.
        short: the source's blinks of two frames, and how many of them are drawn.
    """

    row: dict[str, Any]
    short: Tally


def run_renderers(setup: Setup) -> dict[str, Table]:
    """Films of held-out frames of four people by their renderers, and what is asked of them."""
    if reason := explain_recogniser():
        print(f"no {DISTANCE}: {reason}", file=sys.stderr)
    runs, rows, targets = Rows(), Rows(), Rows()
    for sitter in list_sitters(setup):
        subject = train_sitter(setup, sitter)
        judged = Judged.of(subject)
        films = {n: of for n, of in list_films(setup, judged).items() if of.has_all(judged.held)}
        write_overview(judged, films, setup.out / "films" / f"{sitter.identity}.png")
        scores = {name: score_films(judged, of) for name, of in films.items()}
        who = {"identity": sitter.identity}
        runs.append(describe_run(subject))
        rows += [who | {"shown": name} | of.row for name, of in scores.items()]
        targets += [who | row for row in judge_scores(scores)]
    return {
        "renderers-runs": Table(runs),
        "renderers-scores": Table(rows),
        "renderers-targets": Table(targets),
    }


def list_films(setup: Setup, judged: Judged) -> dict[str, Films]:
    """Name -> films, drawn anew; those of another build as they were given."""
    identity, folder = judged.subject.identity, setup.out / "films"
    found = {
        STORED: encode_stored(judged, folder / "stored" / identity),
        DRAWN: draw_films(judged, folder / "drawn" / identity),
    }
    return found if setup.before is None else found | {BEFORE: Films(setup.before / identity)}


# --- scores -------------------------------------------------------------------------------------


def score_films(judged: Judged, films: Films) -> Scores:
    """Figures over the held-out frames of all clips, in their order."""
    shown = [look_at(films.read(CROP, clip), clip, judged.find_part(clip)) for clip in judged.held]
    lids = [
        (judged.measure_lids(s.meshes)[s.part], clip.au45[judged.find_part(clip)])
        for s, clip in zip(shown, judged.held, strict=True)
    ]
    whole, short = score_shown(shown, judged.reference), score_short_blinks(lids, judged.fps)
    edges = score_edges(judged, films)
    row = {
        "frames": whole["frames"],
        DISTANCE: score_likeness(judged, films, shown),
        "CPBD": whole["CPBD"],
        LMD: measure_lmd(shown, judged.reference),
        "PSNR, dB": whole["PSNR, dB"],
        "SSIM": whole["SSIM"],
        **score_blinks(lids, judged.fps),
        "of those of two frames": f"{short.hits} of {short.target}",
        "without a face": whole["without a face"],
        RING_ERROR: edges[RING],
        STEP: edges[ACROSS],
        "beside it": edges[BESIDE],
        **score_flicker(judged, films),
    }
    return Scores(row, short)


def score_likeness(judged: Judged, films: Films, shown: Sequence[Shown]) -> float:
    """Mean distance to the stored faces; NaN without the recogniser."""
    if explain_recogniser():
        return math.nan
    distances = [
        measure_likeness(films.read(CROP, clip), clip, s, real)
        for clip, s, real in zip(judged.held, shown, judged.reference, strict=True)
    ]
    return average_known(np.concatenate(distances))


def score_edges(judged: Judged, films: Films) -> Mapping[str, float]:
    """Means over the held-out frames, levels."""
    found = [
        measure_edges(
            films.read(SOURCE, clip),
            read_source(judged, clip),
            clip.reader.clips[clip.index].crop,
            judged.find_part(clip),
            clip.num_frames,
        )
        for clip in judged.held
    ]
    return {name: _average([edges[name] for edges in found]) for name in (RING, ACROSS, BESIDE)}


def score_flicker(judged: Judged, films: Films) -> dict[str, float]:
    """Mean change where the stored frames and the source are still, over the held-out frames."""
    skin, background = list[Floats](), list[Floats]()
    for clip, real in zip(judged.held, judged.reference, strict=True):
        part = judged.find_part(clip)
        frames = range(clip.num_frames)[part]
        if len(frames) < 2:
            continue
        skin.append(
            _list_changes(
                _cut(films.read(CROP, clip), part),
                find_still_skin((clip.read_frame(t) for t in frames), real.judged),
            )
        )
        sources = _cut(read_source(judged, clip), part)
        looks = pick(sources, choose_looks(len(frames)))
        background.append(
            _list_changes(_cut(films.read(SOURCE, clip), part), find_background(looks))
        )
    return {
        name: average_known(np.concatenate(parts)) if parts else math.nan
        for name, parts in ((SKIN, skin), (BACKGROUND, background))
    }


def _cut(pictures: Iterator[Picture], part: slice) -> Iterator[Picture]:
    return itertools.islice(pictures, part.start, part.stop)


def _list_changes(pictures: Iterator[Picture], region: Region) -> Floats:
    """Mean change of a region between neighbours; NaN where it has no pixels."""
    height, width = region.shape
    if not region.any():
        return np.full(1, math.nan)
    pairs = itertools.pairwise(picture[:height, :width].astype(np.int16) for picture in pictures)
    return np.array([np.abs(after - before)[region].mean() for before, after in pairs])


def _average(parts: Sequence[npt.NDArray[np.float64]]) -> float:
    return average_known(np.concatenate(parts))


# --- what was asked -----------------------------------------------------------------------------


def judge_scores(scores: Mapping[str, Scores]) -> Rows:
    """What is asked of a renderer, and whether it does it."""
    return [*_judge_alone(scores), *(_judge_beside(scores) if BEFORE in scores else ())]


def _judge_alone(scores: Mapping[str, Scores]) -> Iterator[dict[str, Any]]:
    stored, drawn, short = scores[STORED].row, scores[DRAWN].row, scores[DRAWN].short
    if not explain_recogniser():
        yield judge("face distance to the stored frames", MOST_DISTANCE, drawn[DISTANCE])
    off = abs(divide(drawn["CPBD"], stored["CPBD"]) - 1)
    yield judge("CPBD, as a share off the stored frames'", SHARPNESS_OFF, off)
    yield judge("AU45, r", LEAST_AU45, drawn["AU45, r"], most=False)
    if short.target:
        yield judge("share of blinks of two frames drawn", 1.0, short.recall, most=False)

    for what in (SKIN, BACKGROUND):
        if math.isfinite(stored[what]):
            yield judge(f"change of {what} over the stored", 1.0, divide(drawn[what], stored[what]))


def _judge_beside(scores: Mapping[str, Scores]) -> Iterator[dict[str, Any]]:
    stored, drawn, before = (scores[name].row for name in (STORED, DRAWN, BEFORE))
    yield judge("mouth LMD over that build's", LMD_SHARE, divide(drawn[LMD], before[LMD]))
    gain = drawn["PSNR, dB"] - before["PSNR, dB"]
    yield judge("PSNR over that build's, dB", 0.0, gain, most=False)
    share = divide(drawn[RING_ERROR], before[RING_ERROR])
    yield judge("ring error over that build's", EDGE_SHARE, share)
    if math.isfinite(stored[STEP]):
        drawn_step, before_step = (max(0.0, row[STEP] - stored[STEP]) for row in (drawn, before))
        yield judge("border step over the stored, levels", EDGE_SHARE * before_step, drawn_step)
