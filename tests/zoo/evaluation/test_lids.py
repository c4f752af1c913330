"""Eyelids in pictures: by hand-computed cases."""

import numpy as np
import pytest

from toolkit.mesh import EAR_POINTS, LID_MIDDLES
from zoo.evaluation.lids import (
    find_open_eyes,
    measure_au45,
    measure_depth,
    score_blinks,
    score_lids,
    score_short_blinks,
)

FPS = 30


def make_meshes(num_frames, apertures):
    """Meshes whose eyes are open by as much: a share of the eyes' width."""
    rng = np.random.default_rng(0)
    meshes = np.repeat(rng.uniform(50, 200, (1, 478, 3)), num_frames, axis=0)
    for points, middle in zip(EAR_POINTS, LID_MIDDLES, strict=True):
        a, b, c, d, e, f = points
        meshes[:, a], meshes[:, d] = (100, 100, 0), (140, 100, 0)
        for upper, lower in ((b, f), (c, e), middle):
            meshes[:, upper] = meshes[:, lower] = (120, 100, 0)
            meshes[:, upper, 1] = 100 - 40 * np.asarray(apertures)
    return meshes


def test_au45_of_meshes_is_the_covered_share_of_the_open_eye():
    """Open at 0.3 of the width, closed to a third of that: 5 · 2/3. No face, no number."""
    apertures = np.full(60, 0.3)
    apertures[30:33] = 0.1
    meshes = make_meshes(60, apertures)
    open_eyes = find_open_eyes(meshes)
    np.testing.assert_allclose(open_eyes, 0.3, atol=1e-6)
    meshes[10] = np.nan
    au45 = measure_au45(meshes, FPS, open_eyes)
    assert np.isnan(au45[10])
    np.testing.assert_allclose(au45[31], 10 / 3, atol=0.03)
    np.testing.assert_allclose(np.delete(au45, [10, 30, 31, 32]), 0, atol=1e-3)


def test_no_face_at_all_has_no_au45():
    assert np.isnan(measure_au45(np.full((5, 478, 3), np.nan), FPS, np.full(2, 0.3))).all()


def make_lids(num_frames, *blinks, height=4.0):
    """AU45 of blinks of five frames about their apexes."""
    au45 = np.zeros(num_frames)
    for apex in blinks:
        au45[apex - 2 : apex + 3] = height * np.array([0.4, 0.8, 1, 0.8, 0.4])
    return au45


def test_blinks_are_matched_within_a_tenth_of_a_second():
    """At 20 and 62 of the source's 20, 60 and 100; that at 140 belongs to none."""
    row = score_blinks([(make_lids(180, 20, 62, 140), make_lids(180, 20, 60, 100))], FPS)
    assert (row["blinks found"], row["of the source's"]) == (3, "2 of 3")
    far = score_blinks([(make_lids(180, 64), make_lids(180, 60))], FPS)
    assert far["of the source's"] == "0 of 1"
    same = make_lids(180, 60)
    assert score_blinks([(same, same)], FPS)["AU45, r"] == pytest.approx(1)


def test_of_short_blinks_those_are_counted_that_are_drawn():
    """The source's blinks at 20 and 60 have two frames, that at 100 has three and does not count.

    Of the two one is drawn; what is drawn at 140 belongs to none.
    """
    real = make_lids(180, 100)
    real[[20, 21, 60, 61]] = 4
    tally = score_short_blinks([(make_lids(180, 20, 100, 140), real)], FPS)
    assert (tally.hits, tally.target) == (1, 2)


def test_frames_without_a_face_do_not_count_in_the_correlation():
    real = make_lids(90, 20, 60)
    pred = real.copy()
    pred[40:50] = np.nan
    assert score_blinks([(pred, real)], FPS)["AU45, r"] == pytest.approx(1)


def test_the_depth_of_blinks_is_read_where_the_sources_are():
    """Half as deep at 20, two frames late at 60 (full), nothing at 100: (2 + 4 + 0) / 3."""
    pred = make_lids(180, 20, height=2.0) + make_lids(180, 62)
    assert measure_depth([pred], [make_lids(180, 20, 60, 100)], FPS) == pytest.approx(2)


def test_lids_are_described_by_rate_and_stretches():
    """Ten seconds: two whole stretches of four, three blinks of three frames at half their peak."""
    row = score_lids([make_lids(300, 20, 60, 100)], [make_lids(300, 20, 60, 100)], FPS)
    assert (row["seconds"], row["4-second stretches"], row["blinks found"]) == (10, 2, 3)
    assert row["blinks a second"] == pytest.approx(0.3)
    assert row["seconds a blink"] == pytest.approx(0.1)
