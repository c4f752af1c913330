"""A picture that lies on its side or upside down is turned down with the way to turn it."""

from pathlib import Path

import numpy as np
import pytest

from tests.numbered import Picture, encode, find_real, read_all
from tests.toolkit.features.test_landmarks import LOSSLESS, face, pan, track
from tests.toolkit.features.test_small_faces import judge
from tests.toolkit.ingest.test_clips import make_track
from toolkit.features.landmarks import FaceMesh
from toolkit.ingest.rejected import Stretch, judge_faces
from toolkit.ingest.timeline import lay_out
from toolkit.schema import Reason, VideoInfo

INFO = VideoInfo(
    width=640, height=480, fps=30, duration=None, audio_start=None
)  # fmt: skip

FILTERS = {1: "transpose=cclock", 2: "hflip,vflip", 3: "transpose=clock"}
"""Quarter turns anticlockwise that set a picture upright -> ffmpeg's filter for them."""


def judge_turned(
    pictures: list[Picture], turn: int, mesh: FaceMesh, folder: Path
) -> set[tuple[Reason | None, str]]:
    """Reason and filter of the stretches of a video turned by quarter turns anticlockwise."""
    turned = [np.rot90(picture, turn).copy() for picture in pictures]
    for number, picture in enumerate(turned):
        picture[:8, :8] = 100 * (number % 2)  # a still would be turned down as such
    path = encode(folder / "a.mkv", turned, *LOSSLESS, rate=30)
    stretches = judge(track(path, mesh, folder / "a")[0], path)
    filters = [[f for f in FILTERS.values() if f in s.message] for s in stretches]
    return {(s.reason, " ".join(f)) for s, f in zip(stretches, filters, strict=True)}


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_turned_picture_is_turned_down_with_the_filter_that_sets_it_upright(
    turn: int, mesh: FaceMesh, portrait: Picture, tmp_path: Path
) -> None:
    found = judge_turned(pan(portrait, 20), turn, mesh, tmp_path)
    assert found == {(Reason.TURNED, FILTERS[4 - turn])}


def test_an_upright_picture_is_none_and_neither_is_a_tilted_head(
    mesh: FaceMesh, portrait: Picture, tmp_path: Path
) -> None:
    import cv2

    tilt = cv2.getRotationMatrix2D((180, 140), 30, 1)
    tilted = np.asarray(cv2.warpAffine(portrait, tilt, (360, 300)), np.uint8)
    for picture in (portrait, tilted):
        assert judge_turned([picture] * 20, 0, mesh, tmp_path) == {(None, "")}


@pytest.mark.parametrize(("angle", "turn"), [(0, 0), (50, 0), (90, 3), (-90, 1), (70, 3)])
def test_a_mesh_on_its_side_needs_no_detector(angle: float, turn: int, mesh: FaceMesh) -> None:
    radians = np.radians(angle)
    points = face(100)
    points[[33, 133, 263, 362], :2] = 100
    points[[13, 14], :2] = [100 + 40 * np.sin(radians), 100 + 40 * np.cos(radians)]
    assert mesh.measure_turn(np.full((200, 200, 3), 90, np.uint8), points) == turn


def judge_votes(votes: dict[int, int], states: str, *stretches: Stretch) -> list[Reason | None]:
    seen = make_track(states)
    for frame, turn in votes.items():
        seen.turns[frame] = turn
    return [s.reason for s in judge_faces(stretches, seen, lay_out(seen, 30), INFO)]


def test_most_of_the_frames_that_were_looked_at_decide() -> None:
    clip = Stretch(0, 60)
    assert judge_votes({0: 2, 10: 2, 20: 0}, "f" * 60, clip) == [Reason.TURNED]
    assert judge_votes({0: 2, 10: 0}, "f" * 60, clip) == [None]
    assert judge_votes({}, "f" * 60, clip) == [None]


def test_a_clip_in_which_no_frame_was_looked_at_is_as_the_one_before() -> None:
    clips = Stretch(0, 30), Stretch(30, 30)
    assert judge_votes({0: 2, 10: 2}, "f" * 60, *clips) == [Reason.TURNED, Reason.TURNED]
    assert judge_votes({0: 2, 40: 0}, "f" * 60, *clips) == [Reason.TURNED, None]


def test_other_reasons_stay() -> None:
    short = Stretch(0, 10, Reason.TOO_SHORT, "short")
    assert judge_votes({0: 2}, "f" * 60, short) == [Reason.TOO_SHORT]
    none = Stretch(0, 10, Reason.NO_FACE, "no face is found")
    assert judge_votes({0: 0}, "." * 60, none) == [Reason.NO_FACE]
    assert judge_votes({0: 2}, "." * 60, none) == [Reason.TURNED]


@pytest.mark.real
@pytest.mark.parametrize("turn", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "name",
    [
        "OpenTalker_video-retalking/examples/face/4.mp4",
        "KwaiVGI_LivePortrait/assets/examples/driving/d11.mp4",
        "_derived/vidtimit_fadg0/sa1.mp4",
    ],
)
def test_turned_videos_of_people_are_turned_down(
    name: str, turn: int, mesh: FaceMesh, tmp_path: Path
) -> None:
    pictures = read_all(find_real(name))[2][:30]
    expected = (Reason.TURNED, FILTERS[4 - turn]) if turn else (None, "")
    assert judge_turned(pictures, turn, mesh, tmp_path) == {expected}
