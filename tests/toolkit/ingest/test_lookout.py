"""Looking for further faces now and then finds what looking in every frame finds."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.numbered import Picture, encode
from tests.toolkit.features.test_landmarks import LOSSLESS, track
from toolkit.features.landmarks import FaceMesh, Mesh
from toolkit.ingest.clips import cut_clips
from toolkit.ingest.lookout import MAX_GROUP, Lookout, group_frames
from toolkit.ingest.track import Track
from toolkit.media.decode import Frame
from toolkit.schema import Reason

NUM_FRAMES = 48


class EveryFrame(FaceMesh):
    """Looks for further faces in every frame."""

    def sees_others(self, picture: Picture, face: Mesh) -> bool:
        return True


@pytest.fixture(scope="module")
def every_frame() -> FaceMesh:
    return EveryFrame()


def draw(portrait: Picture, seconds: npt.NDArray[np.bool_] | None = None) -> list[Picture]:
    """A head that sways, and in some frames a smaller one, its mirror image, beside it."""
    import cv2

    frames = []
    for k in range(NUM_FRAMES):
        x = int(6 + 6 * np.sin(k / 4))
        picture = np.full((240, 640, 3), 96, np.uint8)
        picture[:, :300] = portrait[20:260, x : x + 300]
        if seconds is not None and seconds[k]:
            head = portrait[30:230, 40 + x : 200 + x, :][:, ::-1]
            picture[40:200, 400:528] = cv2.resize(head, (128, 160), interpolation=cv2.INTER_AREA)
        frames.append(picture)
    return frames


def between(first: int, last: int) -> npt.NDArray[np.bool_]:
    return (np.arange(NUM_FRAMES) >= first) & (np.arange(NUM_FRAMES) < last)


def find_several(seen: Track) -> list[int]:
    height = np.nan_to_num(seen.boxes[:, 3] - seen.boxes[:, 1])
    return np.flatnonzero(seen.second_height > 0.5 * height).tolist()


def reject(seen: Track) -> list[tuple[int, int]]:
    """Stretches turned down for a second face, on a clock of 30 a second."""
    stretches = cut_clips(seen, fps=30, audio_span=(0, 10**7), min_frames=3, max_frames=1000)
    return [(s.start, s.num) for s in stretches if s.reason is Reason.SEVERAL_FACES]


@pytest.mark.parametrize(
    ("first", "last"),
    [(0, NUM_FRAMES), (20, 29), (19, 28), (23, 32), (9, NUM_FRAMES), (0, 15), (NUM_FRAMES, 0)],
    ids=["split screen", "0.3 s", "0.3 s, 1 on", "0.3 s, 4 on", "enters", "leaves", "never"],
)
def test_a_second_face_is_seen_in_the_very_frames_in_which_looking_always_sees_it(
    first: int, last: int, mesh: FaceMesh, every_frame: FaceMesh, portrait: Picture, tmp_path: Path
) -> None:
    pictures = draw(portrait, between(first, last))
    path = encode(tmp_path / "a.mkv", pictures, *LOSSLESS, rate=30)
    seen, meshes = track(path, mesh, tmp_path / "a")
    wanted, always = track(path, every_frame, tmp_path / "b")
    assert find_several(seen) == find_several(wanted)
    assert reject(seen) == reject(wanted)
    assert bool(reject(seen)) == (first < last)
    assert not seen.starts[1:].any()  # a cut would have every frame looked at
    np.testing.assert_array_equal(seen.starts, wanted.starts)
    np.testing.assert_array_equal(meshes, always)


@pytest.mark.parametrize("first", range(18, 24))
def test_a_second_face_too_short_to_count_may_be_missed_and_changes_nothing(
    first: int, mesh: FaceMesh, every_frame: FaceMesh, portrait: Picture, tmp_path: Path
) -> None:
    path = encode(tmp_path / "a.mkv", draw(portrait, between(first, first + 4)), *LOSSLESS, rate=30)
    seen, meshes = track(path, mesh, tmp_path / "a")
    wanted, always = track(path, every_frame, tmp_path / "b")
    assert reject(seen) == reject(wanted) == []
    assert np.abs(meshes - always)[..., :2].max() < 0.1


def test_landmarks_are_the_same_whether_further_faces_are_looked_for_or_not(
    mesh: FaceMesh, portrait: Picture
) -> None:
    pictures = draw(portrait)[:12]

    def run(look: bool) -> list[Mesh]:
        mesh.reset()
        return [*mesh.start(pictures[0]), *(mesh.detect(p, look=look)[0] for p in pictures[1:])]

    np.testing.assert_array_equal(run(True), run(False))


def test_a_picture_with_one_face_has_no_others_and_a_face_elsewhere_is_one(
    mesh: FaceMesh, portrait: Picture
) -> None:
    alone, both = draw(portrait)[0], draw(portrait, between(0, 1))[0]
    mesh.reset()
    (face,) = mesh.start(alone)
    assert not mesh.sees_others(alone, face)
    assert mesh.sees_others(both, face)
    assert mesh.sees_others(alone, face + np.float32([250, 0, 0]))
    assert not mesh.sees_others(np.full_like(alone, 90), face)


class FakeMesh:
    """Sees others where the picture's first value says so."""

    def __init__(self) -> None:
        self.looked: list[int] = []

    def sees_others(self, picture: Picture, face: Mesh) -> bool:
        self.looked.append(int(picture[0, 0, 1]))
        return bool(picture[0, 0, 0])


def make_frames(others: set[int], count: int, fps: float = 30) -> Iterator[Frame]:
    for k in range(count):
        yield Frame(k / fps, np.array([[[k in others, k, 0]]], np.uint8))


def look_at(others: set[int], count: int, fps: float = 30) -> tuple[list[int], list[int]]:
    """Frames that the detector saw by itself, and frames in which the mesh had to look."""
    fake = FakeMesh()
    lookout = Lookout(fake)  # type: ignore[arg-type]
    face: Mesh | None = None
    searched: list[int] = []
    for group in group_frames(make_frames(others, count, fps)):
        if lookout.must_look(group, face=face, num_faces=1, has_cut=False):
            searched += [round(frame.time * fps) for frame in group]
        face = np.zeros((478, 3), np.float32)
    return fake.looked, searched


def test_the_last_frame_of_every_group_is_looked_at_and_the_first_group_whole() -> None:
    assert look_at(set(), 30) == ([11, 17, 23, 29], [0, 1, 2, 3, 4, 5])


def test_around_another_face_every_frame_is_looked_at_for_a_second() -> None:
    _, searched = look_at({23}, 90)
    assert searched == [*range(6), *range(18, 54)]


@pytest.mark.parametrize(("fps", "size"), [(5, 1), (15, 3), (25, 5), (30, 6), (60, 6)])
def test_groups_end_at_most_a_fifth_of_a_second_apart(fps: float, size: int) -> None:
    groups = list(group_frames(make_frames(set(), 40, fps)))
    assert sum(map(len, groups)) == 40
    assert {len(group) for group in groups[1:-1]} == {size}
    assert size <= MAX_GROUP
