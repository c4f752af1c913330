"""What is asked of a renderer, and which clips choose: by hand-computed cases."""

import math

import numpy as np
import pytest

from tests.results import minutes, renderers
from tests.results.minutes import Point, describe_curves, find_minutes, judge_curves
from tests.results.people import _divide
from tests.results.reenactment import DRAWN, NEAREST, judge_minutes, judge_rows
from tests.results.renderers import BEFORE, STORED, Scores, judge_scores
from tests.results.speed import judge_speed
from tests.results.spoken import PERSON, judge_conduct, list_conduct
from zoo.evaluation.speaking import Conduct
from zoo.metrics.events import Tally


@pytest.mark.parametrize(
    ("psnr", "mouth", "met"), [(28.1, 1.0, ["yes", "yes"]), (27.9, 1.1, ["no", "no"])]
)
def test_a_renderer_is_judged_beside_the_nearest_frame(psnr, mouth, met):
    """Two dB more than 26, half of 2 px."""
    drawn, nearest = {"PSNR, dB": psnr, "mouth, px": mouth}, {"PSNR, dB": 26.0, "mouth, px": 2.0}
    assert [row["met"] for row in judge_rows({DRAWN: drawn, NEAREST: nearest})] == met


@pytest.mark.parametrize(
    ("minutes", "starts", "met"), [(44.9, 1, "yes"), (45.1, 1, "no"), (9.0, 2, "no")]
)
def test_the_minutes_of_a_killed_training_do_not_count(minutes, starts, met):
    row = judge_minutes({"minutes": minutes, "starts": starts, "threads": 2})
    assert row["met"] == met


def test_every_sixth_clip_chooses():
    parts = [row["split"] for row in _divide([str(k) for k in range(12)])]
    assert parts == [*["val", *["train"] * 5]] * 2


# --- beside another build -----------------------------------------------------------------------


def make_scores(*, step=4.0, ring=4.0, lmd=0.7, psnr=23.0, cpbd=0.45, hits=1, skin=1.0):
    """Figures of a row; those of the other build are step 9, ring 9, LMD 1, PSNR 22.7 and 0.4."""
    row = {
        "face distance": 0.29, "CPBD": cpbd, "mouth LMD, px": lmd, "PSNR, dB": psnr,
        "AU45, r": 0.98, "ring error": ring, "border step": step,
        "still skin": skin, "background": math.nan,
    }  # fmt: skip
    return Scores(row, Tally(hits=hits, pred=5, target=2))


def judge_all(monkeypatch, drawn, *, step=1.0):
    """What -> whether it is met; the stored frames' CPBD is 0.5, their border step 1."""
    monkeypatch.setattr(renderers, "explain_recogniser", str)
    scores = {
        STORED: make_scores(cpbd=0.5, step=step),
        renderers.DRAWN: drawn,
        BEFORE: make_scores(step=9, ring=9, lmd=1, psnr=22.7, cpbd=0.4),
    }
    return {row["what"]: (row["measured"], row["met"]) for row in judge_scores(scores)}


def test_a_renderer_is_judged_beside_another_build(monkeypatch):
    """Sharp to a tenth; LMD 0.7 of the other's; of the border's 8 over the stored 4 may be."""
    found = judge_all(monkeypatch, make_scores())
    assert found["face distance to the stored frames"] == (0.29, "yes")
    assert found["CPBD, as a share off the stored frames'"] == (pytest.approx(0.1), "yes")
    assert found["mouth LMD over that build's"] == (0.7, "yes")
    assert found["PSNR over that build's, dB"] == (pytest.approx(0.3), "yes")
    assert found["ring error over that build's"] == (pytest.approx(4 / 9), "yes")
    assert found["border step over the stored, levels"] == (3, "yes")
    assert found["share of blinks of two frames drawn"] == (0.5, "no")
    assert found["change of still skin over the stored"] == (1, "yes")
    assert "change of background over the stored" not in found
    worse = make_scores(step=6, ring=5, lmd=0.8, psnr=22.6, cpbd=0.56, skin=1.1)
    assert {met for _, met in judge_all(monkeypatch, worse).values()} == {"no", "yes"}
    met = [what for what, (_, met) in judge_all(monkeypatch, worse).items() if met == "yes"]
    assert met == ["face distance to the stored frames", "AU45, r"]


def test_a_border_step_below_the_stored_frames_own_is_none(monkeypatch):
    found = judge_all(monkeypatch, make_scores(step=8.8), step=10.6)
    assert found["border step over the stored, levels"] == (0, "yes")


def test_a_border_that_lies_in_no_picture_is_not_judged(monkeypatch):
    found = judge_all(monkeypatch, make_scores(step=math.nan), step=math.nan)
    assert not any("border" in what for what in found)


# --- over minutes -------------------------------------------------------------------------------


def make_curve(*points):
    """Points of minutes, LMD and face distance; a step takes a second."""
    return [
        Point(60 * m, m, {"mouth LMD, px": lmd, "face distance": distance})
        for m, lmd, distance in points
    ]


def test_a_run_is_as_good_where_both_figures_are(monkeypatch):
    """At 4 minutes the lips are near enough, at 8 the face, too."""
    monkeypatch.setattr(minutes, "explain_recogniser", str)
    other = make_curve((30, 1.0, 0.4))[-1]
    curve = make_curve((2, 1.2, 0.5), (4, 0.9, 0.45), (8, 0.95, 0.4), (12, 0.8, 0.3))
    assert find_minutes(curve, other) == 8
    assert math.isnan(find_minutes(curve[:2], other))
    monkeypatch.setattr(minutes, "explain_recogniser", lambda: "no recogniser")
    assert find_minutes(curve, other) == 4


def test_curves_are_judged_by_the_other_builds_minutes(monkeypatch):
    """Of 30 minutes 11 are more than a third, 20 are two thirds."""
    monkeypatch.setattr(minutes, "explain_recogniser", str)
    curves = {
        "alone": make_curve((10, 2, 2), (20, 1, 0.4)),
        "from a base": make_curve((11, 1, 0.4)),
        "before": make_curve((15, 2, 2), (30, 1.0, 0.4)),
    }
    met = {row["what"].split()[1]: row["met"] for row in judge_curves(curves)}
    assert met == {"from": "no", "alone": "yes"}
    rows = describe_curves(curves)
    assert rows["alone"]["minutes until as good as before"] == 20
    assert rows["before"]["seconds a step"] == pytest.approx(1)
    del curves["before"]
    assert judge_curves(curves) == []
    assert "minutes until as good as before" not in describe_curves(curves)["alone"]


# --- speaking -----------------------------------------------------------------------------------


def make_conduct(rate, reach, openings):
    return Conduct(
        blink_rate=rate, head_range=reach, wide=0.5, pause_openings=np.array(openings), fps=30
    )


def test_speaking_is_judged_beside_the_persons_own():
    """Closed is up to a fifth of 0.5: three of four frames of his, and one of two."""
    conduct = {
        PERSON: make_conduct(0.6, 10, [0.05, 0.1, 0.09, 0.2]),
        "another's": make_conduct(0.5, 7, [0.1, 0.3]),
        "no face": None,
    }
    own, other = list_conduct(conduct)
    assert own["of them with a closed mouth"] == 0.75
    assert other["seconds of pauses"] == pytest.approx(2 / 30)
    rows = list(judge_conduct(conduct))
    assert [row["met"] for row in rows] == ["yes", "no", "no"]
    assert [row["measured"] for row in rows] == pytest.approx([1 / 6, 0.3, 2 / 3])
    assert list(judge_conduct({PERSON: None})) == []


def test_films_are_judged_by_two_threads_of_the_small_preset():
    rows = [
        {"preset": preset, "on": f"CPU, {threads} threads", "in all": rate}
        for preset, threads, rate in (("small", 1, 26.7), ("small", 2, 36.9), ("paper", 2, 3.0))
    ]
    (row,) = judge_speed(rows)
    assert (row["measured"], row["met"]) == (36.9, "no")
