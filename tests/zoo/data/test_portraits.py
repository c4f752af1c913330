"""Pictures of a person: what is measured, how it is cut, which are the best, what is refused."""

import warnings
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.faces import MODEL, draw_mesh
from tests.sitters import HEIGHT, WIDTH, draw_scene, load_face, write_pictures, write_walk
from toolkit.errors import ToolkitError
from toolkit.features.landmarks import FaceMesh
from toolkit.ingest.clips import choose_crop
from toolkit.media.encode import write_video
from zoo.data import portraits as module
from zoo.data.portraits import (
    Portraits,
    choose_best,
    cut_picture,
    find_faces,
    measure_portraits,
    to_crop,
)
from zoo.landmarks.align import measure_turn


@pytest.fixture(scope="module")
def mesh() -> FaceMesh:
    return FaceMesh()


def test_meshes_are_of_the_pictures_that_are_kept(tmp_path: Path, mesh: FaceMesh) -> None:
    """Two of one face at other places and sizes show it at the same place of its crop."""
    folder = write_pictures(
        tmp_path / "ann", a=draw_scene((20, 30, 240)), b=draw_scene((150, 60, 200))
    )
    found = measure_portraits(folder)
    assert found.names == ("a.png", "b.png")
    assert found.person == "ann"
    assert found.pictures.shape == (2, 256, 256, 3)
    assert found.meshes.shape == (2, 478, 3)
    for picture, points in zip(found.pictures, found.meshes, strict=True):
        (again,) = find_faces(mesh, picture)
        assert np.linalg.norm(again - points, axis=1)[:468].mean() < 3


def test_a_picture_is_cut_as_ingest_cuts_a_clip(tmp_path: Path, mesh: FaceMesh) -> None:
    picture = draw_scene((20, 30, 240))
    folder = write_pictures(tmp_path / "ann", a=picture, b=picture)
    (face,) = find_faces(mesh, picture)
    box = np.concatenate([face[:, :2].min(0), face[:, :2].max(0)])
    crop = choose_crop(box[None], (WIDTH, HEIGHT))
    found = measure_portraits(folder)
    assert np.array_equal(found.pictures[0], cut_picture(picture, crop))
    assert found.meshes[0] == pytest.approx(to_crop(face, crop))


def test_a_crop_beyond_the_border_repeats_it() -> None:
    """A picture of 128 px whose crop is 256 px, 64 px to the left and above."""
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[0, 0], picture[100, 50] = 200, 90
    cut = cut_picture(picture, (-64, -64, 192, 192))
    assert (cut[:65, :65] == 200).all()
    assert cut[164, 114].tolist() == [90, 90, 90]
    assert to_crop(np.zeros((1, 478, 3)), (-64, -64, 192, 192))[0, 0].tolist() == [64, 64, 0]


def test_a_video_is_cut_once_for_all_its_frames(tmp_path: Path) -> None:
    """Ten frames a second are looked at; the crop holds the face in all of them."""
    found = measure_portraits(write_walk(tmp_path / "ann.mp4"))
    assert len(found) == 10
    assert found.person == "ann"
    assert found.take is not None
    assert (found.take.first, found.take.last) == pytest.approx((0, 0.9))
    across = found.meshes[:, :468, 0].mean(axis=1)
    side = found.take.crop[2] - found.take.crop[0]
    assert np.diff(across) == pytest.approx(6 * 256 / side, rel=0.2)  # 3 frames of 2 px
    assert found.meshes[:, :468, :2].min() >= 0
    assert found.meshes[:, :468, :2].max() <= 256


@pytest.mark.parametrize("known", [True, False])
def test_of_a_long_video_no_more_frames_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Of 8 s the first 6 count: every quarter of a second; where the length is not known every
    0.1 s as far as 2.4 s, then half of these and every 0.2 s, then half again.

    A browser's recordings do not say how long they last.
    """
    monkeypatch.setattr(module, "MOST", 24)
    monkeypatch.setattr(module, "LONGEST", 6.0)
    path = tmp_path / "ann.mp4"
    write_video(path, [np.full((64, 96, 3), 90, np.uint8)] * 240, fps=30)
    info, streams = module.probe(path)
    assert info.duration == pytest.approx(8, abs=0.1)
    info = info if known else replace(info, duration=None)
    monkeypatch.setattr(module, "probe", lambda path: (info, streams))
    face = (turn_heads(0)[0] - [128, 128, 0]) * 0.1 + [48, 32, 0]
    monkeypatch.setattr(module, "find_faces", lambda mesh, picture: [face.astype(np.float32)])
    found = measure_portraits(path)
    times = np.array([float(name.removesuffix(" s")) for name in found.names])
    expected = np.arange(25) * 0.25 if known else np.arange(16) * 0.4
    assert times == pytest.approx(expected, abs=0.05)
    assert len(found.pictures) == len(times)


def test_of_a_videos_takes_the_longest_is_read(tmp_path: Path) -> None:
    """A flash of another face for half a second, a cut, then the person."""
    other = cv2.flip(draw_scene((20, 30, 240), light=0.4), 1)
    frames = [np.asarray(other, np.uint8)] * 15 + [draw_scene((20, 30, 240))] * 30
    write_video(tmp_path / "ann.mp4", frames, fps=30)
    found = measure_portraits(tmp_path / "ann.mp4")
    assert found.take is not None
    assert found.take.first == pytest.approx(0.5, abs=0.11)
    assert all(picture.mean() > 90 for picture in found.pictures)


def test_one_picture_is_enough_and_warned_of(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "ann", a=draw_scene((20, 30, 240)))
    for path in (folder, folder / "a.png"):
        with pytest.warns(UserWarning, match="one picture alone: twenty give a better likeness"):
            assert len(measure_portraits(path)) == 1


def test_of_two_faces_the_larger_counts_where_the_other_is_small(tmp_path: Path) -> None:
    """Heights of 1 to 0.5 and more are two people; what is smaller stands behind one."""
    picture = draw_scene((0, 30, 240), (270, 100, 110))
    folder = write_pictures(tmp_path / "ann", a=picture, b=picture)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measure_portraits(folder)
    assert len(found) == 2


def test_pictures_with_two_people_are_left_out(tmp_path: Path) -> None:
    both, alone = draw_scene((0, 60, 200), (200, 60, 200)), draw_scene((20, 30, 240))
    folder = write_pictures(tmp_path / "ann", a=both, b=alone, c=alone)
    (folder / "d.png").write_text("no picture")
    write_pictures(folder, e=np.full((200, 200, 3), 128, np.uint8))
    said = "pictures left out: 1 with several faces, 1 without a face, 1 that cannot be read"
    with pytest.warns(UserWarning, match=said):
        assert measure_portraits(folder).names == ("b.png", "c.png")


def test_two_people_in_every_picture_are_refused(tmp_path: Path) -> None:
    both = draw_scene((0, 60, 200), (200, 60, 200))
    folder = write_pictures(tmp_path / "ann", a=both, b=both)
    with pytest.raises(ToolkitError, match=r"several faces in its 2 pictures.*one person is seen"):
        measure_portraits(folder)


def test_pictures_without_a_face_are_refused(tmp_path: Path) -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    folder = write_pictures(tmp_path / "ann", a=grey, b=grey)
    with pytest.raises(ToolkitError, match="no face is seen in its 2 pictures: give"):
        measure_portraits(folder)
    write_video(tmp_path / "ann.mp4", [grey] * 9, fps=30)
    with pytest.raises(ToolkitError, match="no face is seen in its 3 frames: give"):
        measure_portraits(tmp_path / "ann.mp4")


def test_what_holds_no_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="no such folder, video or picture"):
        measure_portraits(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ToolkitError, match="no pictures in this folder: it needs files such as"):
        measure_portraits(tmp_path / "empty")
    (tmp_path / "letter.txt").write_text("a letter")
    with pytest.raises(ToolkitError, match=r"letter\.txt: .*"):
        measure_portraits(tmp_path / "letter.txt")
    (tmp_path / "empty" / "a.png").write_text("a letter")
    (tmp_path / "empty" / "b.png").write_text("a letter")
    with pytest.raises(ToolkitError, match="none of its pictures can be read"):
        measure_portraits(tmp_path / "empty")


def test_a_large_folder_is_read_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    picture = draw_scene((20, 30, 240))
    folder = write_pictures(tmp_path / "ann", **{f"p{k}": picture for k in range(5)})
    assert measure_portraits(folder).names == ("p0.png", "p2.png", "p4.png")


# --- which are the best -------------------------------------------------------------------------


def turn_heads(*degrees: float) -> np.ndarray:
    """Meshes (n, 478, 3) of the mean face, turned so far to the side, in a crop."""
    pose = np.zeros((len(degrees), 6))
    pose[:, 1], pose[:, 5] = np.radians(degrees), 600
    meshes = draw_mesh(np.repeat(MODEL.mean_shape[None], len(degrees), axis=0), pose)
    return (meshes - meshes.mean(axis=1, keepdims=True)) * 0.5 + [128, 128, 0]


def make_portraits(meshes: np.ndarray, contrast: list[float]) -> Portraits:
    """Noise of these contrasts, which is as sharp as it is strong."""
    noise = np.random.default_rng(0).normal(size=(256, 256, 3))
    pictures = [np.clip(128 + 30 * level * noise, 0, 255).astype(np.uint8) for level in contrast]
    return Portraits(
        path=Path("ann"), names=tuple(map(str, range(len(meshes)))), pictures=np.stack(pictures),
        meshes=meshes.astype(np.float32), take=None, backend="drawn",
    )  # fmt: skip


def test_a_turned_heads_angle_is_measured() -> None:
    assert measure_turn(turn_heads(0, 30, -50)) == pytest.approx([0, 30, 50], abs=3)


def test_blurred_pictures_and_turned_heads_are_left_out() -> None:
    """Four of eight stay; 1 is blurred, 3 and 6 turned, 7 both; of 0, 2, 4, 5 all are asked for."""
    turns = (0, 1, -5, 60, 5, 10, -55, 50)
    portraits = make_portraits(turn_heads(*turns), [1, 0.1, 1, 1, 1, 1, 1, 0.2])
    assert choose_best(portraits, 4).tolist() == [0, 2, 4, 5]


def test_of_the_good_ones_those_that_differ_most_are_taken() -> None:
    """Of the half that looks this way, at 0, 1, 2 and 3 px: nearest to 1.5, and the ends."""
    portraits = make_portraits(turn_heads(0, 0, 0, 0, 30, 30, 30, 30), [1] * 8)
    portraits.meshes[:, :, 0] += np.float32([0, 1, 2, 3, 40, 50, 60, 70])[:, None]
    assert choose_best(portraits, 3).tolist() == [0, 1, 3]


def test_as_many_as_there_are_are_taken_of_few() -> None:
    portraits = make_portraits(turn_heads(0, 10, 60), [1, 0.1, 1])
    assert choose_best(portraits, 20).tolist() == [0, 1, 2]


def test_profiles_alone_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meshes = iter(turn_heads(50, -60).astype(np.float32))
    monkeypatch.setattr(module, "find_faces", lambda mesh, picture: [next(meshes)])
    folder = write_pictures(tmp_path / "ann", a=load_face(), b=load_face())
    with pytest.warns(UserWarning, match="the head is turned by 50° or more in every picture"):
        measure_portraits(folder)
