"""Faces that are small in the picture are found from the first frame, and followed as they move."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.numbered import H264, Picture, encode, find_real, run_ffmpeg
from tests.toolkit.features.test_landmarks import LOSSLESS, track
from toolkit.features.landmarks import FaceMesh, Mesh
from toolkit.features.small_faces import choose_region, is_outgrown, least_height, list_tiles
from toolkit.ingest.clips import cut_clips
from toolkit.ingest.rejected import Stretch, judge_faces
from toolkit.ingest.timeline import lay_out
from toolkit.ingest.track import Track
from toolkit.media.video import probe
from toolkit.schema import Reason

WIDTH, HEIGHT = 1920, 1080
Place = tuple[int, int, float]
"""Where the portrait's corner lies, px, and the height of its face."""


@pytest.fixture(scope="module")
def face(mesh: FaceMesh, portrait: Picture) -> Mesh:
    """The portrait's own mesh."""
    mesh.reset()
    return mesh.start(portrait)[0]


@pytest.fixture(scope="module")
def draw(portrait: Picture, face: Mesh) -> Callable[..., Picture]:
    """A grey picture with portraits whose faces are so high at such places."""
    import cv2

    def paint(*places: Place) -> Picture:
        picture = np.full((HEIGHT, WIDTH, 3), 96, np.uint8)
        for x, y, height in places:
            scale = height / float(np.ptp(face[:, 1]))
            way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=way)
            picture[y : y + small.shape[0], x : x + small.shape[1]] = small
        return picture

    return paint


def expect(face: Mesh, place: Place) -> Mesh:
    """Where the portrait's mesh lies in the picture."""
    x, y, height = place
    return face * np.float32(height / np.ptp(face[:, 1])) + np.float32([x, y, 0])


def judge(seen: Track, path: Path) -> list[Stretch]:
    stretches = cut_clips(seen, fps=30, audio_span=(0, 10**7), min_frames=3, max_frames=1000)
    return list(judge_faces(stretches, seen, lay_out(seen, 30), probe(path)[0]))


@pytest.mark.parametrize("place", [(900, 400, 80), (30, 20, 80), (1580, 790, 100), (700, 300, 190)])
def test_a_small_face_is_found_from_the_first_frame_where_it_is(
    place: Place, mesh: FaceMesh, face: Mesh, draw: Callable[..., Picture], tmp_path: Path
) -> None:
    path = encode(tmp_path / "a.mkv", [draw(place)] * 3, *LOSSLESS, rate=30)
    seen, meshes = track(path, mesh, tmp_path / "a")
    assert seen.has_face.all() and not seen.starts.any() and not seen.second_height.any()
    away = np.linalg.norm((meshes - expect(face, place))[:, :468, :2], axis=2)
    assert away.mean() < 0.02 * place[2]  # measured on real faces: 0.007 at 80 px
    depth = np.ptp(meshes[..., 2], axis=1) / np.ptp(expect(face, place)[:, 2])
    np.testing.assert_allclose(depth, 1, atol=0.15)
    assert judge(seen, path)[0].reason is None


def test_a_face_that_is_too_small_is_turned_down_with_its_size_and_the_least(
    mesh: FaceMesh, draw: Callable[..., Picture], tmp_path: Path
) -> None:
    path = encode(tmp_path / "a.mkv", [draw((900, 400, 60))] * 8, *LOSSLESS, rate=30)
    seen, _ = track(path, mesh, tmp_path / "a")
    (stretch,) = judge(seen, path)
    assert stretch.reason is Reason.NO_FACE
    height, least = (int(word) for word in stretch.message.split() if word.isdigit())
    assert abs(height - 60) <= 4
    assert least == 77  # 1080 / 14


def test_nothing_to_be_seen_is_not_called_a_small_face(mesh: FaceMesh, tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", [np.full((360, 640, 3), 90, np.uint8)] * 8, *LOSSLESS)
    (stretch,) = judge(track(path, mesh, tmp_path / "a")[0], path)
    assert (stretch.reason, stretch.message) == (Reason.NO_FACE, "no face is found")


def test_a_small_face_that_crosses_the_picture_is_followed_all_the_way(
    mesh: FaceMesh, face: Mesh, draw: Callable[..., Picture], tmp_path: Path
) -> None:
    places = [(100 + 20 * k, 300, 100 + 2 * k) for k in range(40)]
    path = encode(tmp_path / "a.mkv", [draw(place) for place in places], *LOSSLESS, rate=30)
    seen, meshes = track(path, mesh, tmp_path / "a")
    assert seen.has_face.all() and not seen.starts.any()
    for points, place in zip(meshes, places, strict=True):
        away = np.linalg.norm((points - expect(face, place))[:468, :2], axis=1)
        assert away.mean() < 0.05 * place[2]  # it moves 0.2 of its height a frame
    assert [s.reason for s in judge(seen, path)] == [None]


def test_a_second_small_face_counts_wherever_it_is(
    mesh: FaceMesh, draw: Callable[..., Picture], tmp_path: Path
) -> None:
    both = draw((200, 300, 120), (1400, 300, 110))
    path = encode(tmp_path / "a.mkv", [both] * 12, *LOSSLESS, rate=30)
    assert {s.reason for s in judge(track(path, mesh, tmp_path / "a")[0], path)} == {
        Reason.SEVERAL_FACES
    }


def test_a_large_face_that_comes_in_is_followed_and_not_the_small_one(
    mesh: FaceMesh, face: Mesh, draw: Callable[..., Picture], tmp_path: Path
) -> None:
    small, large = (100, 100, 90), (860, 100, 300)
    pictures = [draw(small)] * 12 + [draw(small, large)] * 12
    path = encode(tmp_path / "a.mkv", pictures, *LOSSLESS, rate=30)
    seen, meshes = track(path, mesh, tmp_path / "a")
    assert seen.has_face.all()
    assert np.abs(meshes[:12] - expect(face, small))[:, :468, :2].mean() < 4
    assert np.abs(meshes[-6:] - expect(face, large))[:, :468, :2].mean() < 10
    assert not seen.second_height[-6:].any()


def test_tiles_cover_the_picture_and_overlap_by_more_than_a_small_face() -> None:
    assert list(list_tiles(1080, 1080)) == [(0, 0, 1080, 1080)]
    assert list(list_tiles(1920, 1080)) == [(0, 0, 1080, 1080), (840, 0, 1920, 1080)]
    assert list(list_tiles(1080, 1920)) == [(0, 0, 1080, 1080), (0, 840, 1080, 1920)]
    assert len(list(list_tiles(10_000, 10))) == 8


def test_the_least_height_follows_the_shorter_side_down_to_48_px() -> None:
    assert least_height(1920, 1080) == least_height(1080, 1920) == pytest.approx(77.14, abs=0.01)
    assert least_height(640, 360) == 48


def test_a_region_is_five_faces_wide_and_left_at_half_a_face_from_its_border() -> None:
    box = np.array([900.0, 500.0, 1000.0, 600.0])
    region = choose_region(box, WIDTH, HEIGHT)
    assert region == (700, 300, 1201, 801)
    assert not is_outgrown(region, box + 100, WIDTH, HEIGHT)
    assert not is_outgrown(region, box + np.array([150, 0, 150, 0]), WIDTH, HEIGHT)
    assert is_outgrown(region, box + np.array([160, 0, 160, 0]), WIDTH, HEIGHT)
    too_large = box + np.array([0, 0, 110, 110])  # 210 of 501 px
    assert is_outgrown(region, too_large, WIDTH, HEIGHT)


def test_at_the_picture_s_own_border_a_region_is_not_left() -> None:
    box = np.array([0.0, 0.0, 100.0, 100.0])
    region = choose_region(box, WIDTH, HEIGHT)
    assert region == (0, 0, 301, 301)
    assert not is_outgrown(region, box, WIDTH, HEIGHT)


@pytest.mark.real
def test_a_speaker_at_a_tenth_of_the_picture_is_there_from_the_first_frame(
    mesh: FaceMesh, tmp_path: Path
) -> None:
    path = find_real("TaoKai_subtitleEffect/obama.mp4")
    part = tmp_path / "part.mkv"
    run_ffmpeg("-i", path, "-frames:v", "60", *H264, "-crf", "12", part)
    seen, _ = track(part, mesh, tmp_path / "a")
    assert seen.has_face.all() and len(seen.times) == 60
