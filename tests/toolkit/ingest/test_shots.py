"""Shots: cuts as PySceneDetect's, jump cuts and dissolves; no flash and no fast head is a cut."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.numbered import Picture, find_real
from toolkit.facemodel.model import load_default
from toolkit.features.landmarks import FaceMesh
from toolkit.ingest.shots import SHOT_THRESHOLD, ShotDetector, Shots
from toolkit.ingest.track import track_faces
from toolkit.media.video import probe

SIDE = 96


def test_scores_are_those_of_pyscenedetects_content_detector() -> None:
    scenedetect = pytest.importorskip("scenedetect")
    reference, detector = scenedetect.ContentDetector(threshold=SHOT_THRESHOLD), ShotDetector()
    rng = np.random.default_rng(0)
    for count, level in enumerate((10, 20, 20, 200, 190, 60, 255)):
        picture = rng.integers(0, level, (90, 96, 3), np.uint8)
        time = scenedetect.FrameTimecode(count, 30.0)
        reference.process_frame(time, np.ascontiguousarray(picture[..., ::-1]))
        assert detector.score(picture) == pytest.approx(reference._frame_score, abs=1e-9)


def test_a_cut_is_where_the_picture_changes_by_the_threshold() -> None:
    def flat(value: int) -> Picture:
        return np.full((40, 60, 3), value, np.uint8)

    detector = ShotDetector()
    # grey: only the value changes, one of three channels
    assert [detector.is_cut(flat(v)) for v in (200, 120, 200, 201)] == [False, False, False, False]
    assert [detector.is_cut(flat(v)) for v in (90, 171, 91)] == [True, True, False]


def draw(seed: int, low: int = 60, high: int = 180) -> Picture:
    """A still picture of soft patches."""
    import cv2

    patches = np.random.default_rng(seed).integers(low, high, (12, 12, 3), np.uint8)
    return np.asarray(cv2.resize(patches, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def mix(first: Picture, last: Picture, share: float) -> Picture:
    return np.asarray(np.round((1 - share) * first + share * last), np.uint8)


def film(places: npt.NDArray[np.float64], seed: int = 0) -> list[Picture]:
    """A head of soft patches at these places (px) before a still background."""
    head, pictures = draw(seed + 1, 90, 220), []
    for place in np.round(places).astype(int):
        picture = draw(seed, 80, 120)
        picture[30:70, place : place + 30] = head[30:70, 30:60]
        pictures.append(picture)
    return pictures


def watch(pictures: list[Picture], places: npt.NDArray[np.float64] | None = None) -> Shots:
    """What is found in pictures whose face, 40 px high, is at these places; still without them."""
    rows = np.linspace(0, 40, 478)
    detector = ShotDetector()
    for number, picture in enumerate(pictures):
        place = 0.0 if places is None else places[number]
        detector.is_cut(picture)
        detector.add_face(np.stack([np.full(478, place), rows, rows], 1).astype(np.float32))
    return detector.finish()


def list_starts(shots: Shots) -> list[int]:
    return np.flatnonzero(shots.starts).tolist()


def sway(count: int) -> npt.NDArray[np.float64]:
    """A head that moves by 0.5 px a frame at most."""
    return 20 + 5 * np.sin(np.arange(count) / 10)


def test_a_piece_missing_of_a_take_is_a_cut() -> None:
    places = sway(60)
    places[37:] += 25
    assert list_starts(watch(film(places), places)) == [37]


def test_a_cut_to_a_face_at_the_same_place_is_found_by_its_threshold_alone() -> None:
    assert list_starts(watch([draw(0)] * 20 + [draw(9, 0, 255)] * 20)) == [20]


def test_a_head_that_moves_fast_is_no_cut() -> None:
    """25 px in five frames, and a camera held by hand."""
    places = sway(60)
    places[30:] += np.clip(5.0 * np.arange(30), 0, 25)
    assert list_starts(watch(film(places), places)) == []
    shake = 20 + 8 * np.random.default_rng(0).standard_normal(200)
    places = np.clip(np.convolve(shake, np.ones(3) / 3, "same"), 0, 60)
    assert list_starts(watch(film(places), places)) == []


def test_a_mouth_that_opens_at_once_is_no_cut() -> None:
    """The picture leaps and so does the jaw, the skull does not."""
    pictures = film(np.full(60, 20.0))
    for picture in pictures[30:]:
        picture[60:70, 25:45] = 250
    rows = np.linspace(0, 40, 478)
    steady = load_default().rigidity > 0
    detector = ShotDetector()
    for number, picture in enumerate(pictures):
        points = np.stack([np.zeros(478), rows, rows], 1).astype(np.float32)
        points[:468][~steady] += 20 * (number >= 30)
        points[:468][steady] += 0.6 * (number >= 30)  # a mesh gives way a little all over
        detector.is_cut(picture)
        detector.add_face(points)
    assert list_starts(detector.finish()) == []


def test_the_pulse_of_a_key_frame_is_no_cut() -> None:
    """Every pixel changes a little, the face stays."""
    places = np.full(60, 20.0)
    pictures = film(places)
    noise = np.random.default_rng(1).integers(0, 12, pictures[0].shape, np.uint8)
    pictures[30:] = [picture + noise for picture in pictures[30:]]
    assert list_starts(watch(pictures, places)) == []


def test_pictures_that_come_several_times_are_no_cuts() -> None:
    """A head filmed at a quarter of the rate leaps in every fourth frame."""
    places = np.repeat(20 + 12 * np.sin(np.arange(20) / 2), 4)
    assert list_starts(watch(film(places), places)) == []


@pytest.mark.parametrize("length", [1, 3, 5])
def test_a_flash_is_no_cut(length: int) -> None:
    pictures = film(sway(60))
    white = np.full_like(pictures[0], 255)
    pictures[20 : 20 + length] = [mix(p, white, 0.9) for p in pictures[20 : 20 + length]]
    shots = watch(pictures)
    assert list_starts(shots) == []
    assert np.flatnonzero(shots.flashes).tolist() == list(range(20, 20 + length))


def test_what_lasts_longer_than_a_flash_is_a_shot() -> None:
    pictures = film(sway(60))
    pictures[20:26] = [np.full_like(pictures[0], 255)] * 6
    shots = watch(pictures)
    assert list_starts(shots) == [20, 26]
    assert not shots.flashes.any()


def test_a_flash_at_the_moment_of_a_cut_leaves_the_cut() -> None:
    pictures = [draw(0)] * 20 + [np.full((SIDE, SIDE, 3), 255, np.uint8)] + [draw(9, 0, 90)] * 20
    shots = watch(pictures)
    assert 20 in list_starts(shots)
    assert not shots.flashes.any()


@pytest.mark.parametrize("length", [6, 12, 30])
def test_a_dissolve_is_a_stretch_of_its_own(length: int) -> None:
    first, last = draw(0, 40, 200), draw(5, 40, 200)
    shares = np.clip((np.arange(80) - 29) / (length + 1), 0, 1)  # pure up to 29, from 30 + length
    shots = watch([mix(first, last, float(share)) for share in shares])
    found = np.flatnonzero(shots.blends)
    assert abs(found[0] - 30) <= 2
    assert abs(found[-1] - (29 + length)) <= 2
    assert len(found) == found[-1] - found[0] + 1
    assert list_starts(shots) == [found[0], found[-1] + 1]


def test_a_change_of_light_is_no_dissolve() -> None:
    picture = draw(0, 40, 200).astype(float)
    fade = np.clip((np.arange(60) - 20) / 20, 0, 1)
    shots = watch([np.asarray(picture * (1 - 0.5 * share), np.uint8) for share in fade])
    assert list_starts(shots) == []
    assert not shots.blends.any()


def test_a_short_source_has_no_shots_of_its_own() -> None:
    for count in (1, 2, 3):
        assert list_starts(watch(film(sway(count)))) == []


@pytest.mark.real
def test_the_jump_cuts_of_a_newsreader_are_found(tmp_path: Path) -> None:
    """Looked at: the head leaps there, before the same background; and nowhere else."""
    path = find_real("sstzal_DFRF/dataset/vids/cnn2_25fps.mp4")
    info, streams = probe(path)
    track = track_faces(
        path, info, streams, mesh=FaceMesh(), spool=tmp_path / "mesh", on_frame=lambda: None
    )
    assert np.flatnonzero(track.starts).tolist() == [176, 702, 953, 1429]
