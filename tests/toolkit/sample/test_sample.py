"""Sample videos: the same for the same seed, as long as asked for, and what their truth says."""

import dataclasses
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from click.testing import CliRunner

from toolkit.cli import main
from toolkit.errors import SetupError
from toolkit.mesh import LIP_MIDDLES
from toolkit.sample import (
    SampleOptions,
    draw_frames,
    make_head,
    make_samples,
    motion,
    write_script,
)
from toolkit.sample.head import Head, read_angles, rotate
from toolkit.sample.portrait import make_identity
from toolkit.sample.videos import _load_portraits_once

pytest.importorskip("skimage")
pytest.importorskip("espeakng_loader")

OPTIONS = SampleOptions(identities=2, clips=1, seconds=2, size=256, seed=4, workers=1)


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, a video of 2 s each."""
    folder = tmp_path_factory.mktemp("sample videos")
    make_samples(folder, OPTIONS)
    return folder


@pytest.fixture(scope="session")
def head() -> Head:
    return make_head(0, OPTIONS.seed, OPTIONS.size)


@pytest.fixture(scope="session")
def claps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person, one video of 2 s with clicks."""
    folder = tmp_path_factory.mktemp("claps")
    make_samples(folder, dataclasses.replace(OPTIONS, identities=1, clap=True))
    return folder


def _read_truth(folder: Path) -> dict[str, Any]:
    videos: dict[str, Any] = json.loads((folder / "truth.json").read_text("utf-8"))["videos"]
    return videos


def _decode(path: Path) -> tuple[list[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        sound = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
    return pictures, np.concatenate(sound)


def _hash_folder(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# --- files --------------------------------------------------------------------------------------


def test_a_folder_per_person_and_nothing_else(samples: Path) -> None:
    names = ["person00/clip00.mp4", "person01/clip00.mp4", "truth.json"]
    assert list(_hash_folder(samples)) == names
    assert list(_read_truth(samples)) == names[:2]


def test_every_video_is_as_long_as_asked_for(samples: Path) -> None:
    for name, truth in _read_truth(samples).items():
        pictures, sound = _decode(samples / name)
        assert len(pictures) == truth["frames"] == 60
        assert pictures[0].shape == (256, 256, 3)
        assert 32_000 <= len(sound) < 32_000 + 1024  # AAC comes in blocks of 1024
        assert np.abs(sound).max() > 0.3


def test_the_same_seed_gives_the_same_bytes_in_other_processes(
    samples: Path, tmp_path: Path
) -> None:
    make_samples(tmp_path, dataclasses.replace(OPTIONS, workers=2))
    assert _hash_folder(tmp_path) == _hash_folder(samples)


def test_another_seed_another_person_another_clip_all_differ(head: Head) -> None:
    first = write_script(head, 0, 0, OPTIONS)
    others = (
        write_script(head, 0, 1, OPTIONS),
        write_script(head, 1, 0, OPTIONS),
        write_script(head, 0, 0, dataclasses.replace(OPTIONS, seed=5)),
    )
    for other in others:
        assert not np.array_equal(first.pose, other.pose)
        assert not np.array_equal(first.pcm, other.pcm)


def test_people_differ_in_proportions_and_colour(head: Head) -> None:
    other = make_head(1, OPTIONS.seed, OPTIONS.size)
    assert np.abs(np.ptp(other.points, axis=0) - np.ptp(head.points, axis=0)).max() > 1.0
    difference = other.draw(other.rest_pose, 0, 0).astype(int) - head.draw(head.rest_pose, 0, 0)
    assert np.abs(difference).mean() > 5


# --- truth --------------------------------------------------------------------------------------


def test_every_curve_of_the_truth_has_one_value_a_frame(samples: Path) -> None:
    for truth in _read_truth(samples).values():
        assert np.shape(truth["pose"]) == (60, 6)
        for name in ("closure", "opening"):
            curve = np.array(truth[name])
            assert curve.shape == (60,)
            assert 0 <= curve.min() <= curve.max() <= 1
        assert truth["audio_video_offset"] == 0
        assert truth["transcript"]


def test_blinks_are_where_the_lids_are_more_than_half_closed() -> None:
    num_blinks = 0
    for seed in range(40):
        lids = motion.draw_lids(np.random.default_rng(seed), 300, 30)
        expected = np.zeros(300, np.bool_)
        for blink in (*lids.blinks, *lids.long_closures):
            expected[blink.onset : blink.offset + 1] = True
            stretch = lids.closure[blink.onset : blink.offset + 1]
            assert lids.closure[blink.apex] == stretch.max() > 0.8
        assert np.array_equal(lids.closure >= 0.5, expected)
        lengths = [blink.offset - blink.onset + 1 for blink in lids.blinks]
        assert all(2 <= length <= 13 for length in lengths)  # 0.1 to 0.4 s, to a frame
        num_blinks += len(lengths)
    assert 0.2 < num_blinks / 400 < 0.4  # a second


def test_lids_lowered_in_looking_down_never_count_as_a_blink() -> None:
    clips = [motion.draw_lids(np.random.default_rng(seed), 300, 30) for seed in range(40)]
    lowered = [(lids, span) for lids in clips for span in lids.lowered]
    assert lowered
    for lids, span in lowered:
        assert 0.39 < lids.closure[span.apex] < 0.41
        turns = motion.look_down(np.zeros((300, 3)), lids)
        assert turns[(span.onset + span.offset) // 2, 0] > np.radians(7)


def test_turns_stay_within_their_limits_and_are_smooth() -> None:
    turns, shifts = motion.draw_turns(np.random.default_rng(0), 3000, 30)
    departures = np.degrees(turns) - motion.TURN_CENTRE
    assert (np.abs(departures) < motion.TURN_LIMITS).all()
    assert (np.abs(shifts) < motion.SHIFT_LIMITS).all()
    assert (departures.std(axis=0) > 0.3 * np.array(motion.TURN_LIMITS)).all()
    assert np.abs(np.diff(departures, axis=0)).max() < 3.0  # degrees a frame


def test_the_mouth_follows_loudness() -> None:
    pcm = np.zeros(32_000, np.int16)
    pcm[16_000:24_000] = (8_000 * np.sin(np.arange(8_000) * 0.3)).astype(np.int16)
    opening = motion.follow_speech(pcm, 60, 30)
    assert opening[:26].max() < 0.02
    assert opening[32:43].min() > 0.9
    assert opening[49:].max() < 0.02


# --- what is drawn ------------------------------------------------------------------------------


def test_angles_come_back_from_their_rotation() -> None:
    angles = np.array([0.2, -0.3, 0.1])
    assert np.allclose(read_angles(rotate(angles)), angles)


def test_positive_angles_look_down_turn_to_the_subjects_right_and_tilt_to_its_left() -> None:
    ahead, up = np.array([0.0, 0.0, -1.0]), np.array([0.0, -1.0, 0.0])  # toward the camera
    assert (rotate(np.array([0.2, 0, 0])) @ ahead)[1] > 0.1  # y is down
    assert (rotate(np.array([0, 0.2, 0])) @ ahead)[0] < -0.1  # the picture's left
    assert (rotate(np.array([0, 0, 0.2])) @ up)[0] > 0.1  # the picture's right


def test_the_rest_pose_draws_the_portrait_and_the_head_stands_where_it_says(head: Head) -> None:
    size = OPTIONS.size
    space = head.points @ rotate(head.rest_pose[:3]).T + head.rest_pose[3:]
    seen = space[:, :2] / space[:, 2:] * head.focal + size / 2
    assert (seen > 0.15 * size).all()
    assert (seen < 0.85 * size).all()
    assert 300 < head.rest_pose[5] < 500
    assert 110 < np.ptp(head.points[:, 0]) < 165  # an adult face's width, mm
    moved = head.draw(head.rest_pose, 0.0, 0.4).astype(int)
    assert np.abs(moved - head.draw(head.rest_pose, 0.0, 0.4)).max() == 0


def _project(head: Head, vertex: int, pose: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    space = head.points[vertex] @ rotate(pose[:3]).T + pose[3:]
    place: np.ndarray[Any, Any] = space[:2] / space[2] * head.focal + OPTIONS.size / 2
    return place


def test_a_turned_head_shows_a_spot_where_the_camera_sees_it(head: Head) -> None:
    """Spots on the tip of the nose, the cheeks and the forehead, far from one another."""
    portrait = make_identity(_load_portraits_once(), 0, OPTIONS.seed, OPTIONS.size)
    pose = head.swing(np.radians([6.0, 10.0, 5.0]), np.array([3.0, -2.0, 10.0]))
    vertices, picture = (4, 50, 151, 280), portrait.picture.copy()
    for vertex in vertices:
        x, y = _project(head, vertex, head.rest_pose).round().astype(int)
        picture[y - 2 : y + 2, x - 2 : x + 2] = (0, 255, 0)
    spotted = Head(dataclasses.replace(portrait, picture=picture))
    change = np.abs(spotted.draw(pose, 0, 0.4).astype(float) - head.draw(pose, 0, 0.4)).sum(-1)
    rows, columns = np.indices(change.shape) + 0.5
    for vertex in vertices:
        place = _project(head, vertex, pose)
        near = np.hypot(columns - place[0], rows - place[1]) < 15
        weight = change * near  # of nothing the place is no number
        found = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
        assert np.abs(found - place).max() < 1.0


def test_a_blink_hides_the_eyes_and_a_spoken_vowel_darkens_the_mouth(head: Head) -> None:
    pose = head.rest_pose

    def look_at(picture: np.ndarray[Any, Any], vertices: list[int]) -> float:
        space = head.points[vertices].mean(axis=0) @ rotate(pose[:3]).T + pose[3:]
        x, y = (space[:2] / space[2] * head.focal + OPTIONS.size / 2).astype(int)
        return float(picture[y - 1 : y + 2, x - 1 : x + 2].mean())

    lids = [159, 145]  # their middle is the pupil
    assert look_at(head.draw(pose, 1, 0), lids) > look_at(head.draw(pose, 0, 0), lids) + 20
    lips = [LIP_MIDDLES[0], *[LIP_MIDDLES[1]] * 3]  # just above the lower lip at rest
    assert look_at(head.draw(pose, 0, 1), lips) < look_at(head.draw(pose, 0, 0), lips) - 40


def test_half_a_level_is_between_its_neighbours(head: Head) -> None:
    a, b, c = (head.draw(head.rest_pose, level, 0).astype(int) for level in (0.5, 0.52, 0.5417))
    assert (np.abs(b - (a + c) / 2) <= 2).mean() > 0.99


# --- clicks -------------------------------------------------------------------------------------


def test_the_mouth_snaps_open_on_the_frame_of_the_click(claps: Path) -> None:
    ((name, truth),) = _read_truth(claps).items()
    assert truth["claps"]
    pictures, sound = _decode(claps / name)
    for frame in truth["claps"]:
        sample = frame * 16_000 // 30
        around = np.abs(sound[sample - 800 : sample + 800])
        assert abs(int(np.argmax(around > 0.3 * around.max())) - 800) <= 2
        assert truth["opening"][frame - 1] == 0
        assert truth["opening"][frame] == 1
        change = [np.abs(pictures[t].astype(int) - pictures[t - 1]).mean() for t in range(1, 60)]
        assert change[frame - 1] > 1.5 * np.median(change)


# --- errors and the command ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [{"identities": 0}, {"fps": 24}, {"seconds": 0.1}, {"size": 250}, {"seed": -1}, {"clips": 0}],
)
def test_options_that_make_no_sense_are_the_callers_mistake(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SampleOptions(**wrong)


@pytest.mark.parametrize("library", ["skimage.data", "espeakng_loader"])
def test_a_missing_library_names_the_extra_to_install(
    library: str, monkeypatch: pytest.MonkeyPatch, head: Head
) -> None:
    from toolkit.sample.portrait import load_portraits

    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(SetupError, match=r"pip install 'ttk\[sample\]'"):
        load_portraits() if library == "skimage.data" else write_script(head, 0, 0, OPTIONS)


def test_frames_come_one_at_a_time(head: Head) -> None:
    script = write_script(head, 0, 0, OPTIONS)
    frames = draw_frames(head, script)
    assert next(frames).shape == (256, 256, 3)


def test_importing_the_module_loads_no_heavy_library() -> None:
    code = "import sys, toolkit.sample; print(*{'mediapipe', 'torch', 'skimage'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_the_command_says_how_it_is_used_and_names_its_truth(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["sample", "--help"])
    assert shown.exit_code == 0
    assert "ttk sample videos/" in shown.output
    assert CliRunner().invoke(main, ["sample", str(tmp_path), "--clips", "0"]).exit_code == 2
    small = ["--identities=1", "--clips=1", "--seconds=1", "--size=128", "--workers=1"]
    made = CliRunner().invoke(main, ["sample", str(tmp_path), *small])
    assert made.exit_code == 0
    assert str(tmp_path / "truth.json") in made.output
