"""Taps and canonical landmarks of clips, from shards of drawn meshes."""

from dataclasses import replace

import numpy as np
import pytest

from tests.datasets import FPS, OPTIONS, FakeClip, make_clip, write_dataset
from tests.faces import MODEL, draw_mesh, draw_poses
from toolkit.dataset.writer import DatasetWriter
from toolkit.errors import ShardError, ToolkitError
from zoo.data.landmarks import cut_taps, load_landmark_clips, take_fingerprint
from zoo.landmarks.retarget import retarget


def test_taps_of_30_frames_a_second_are_rows_of_the_scores():
    """An impulse in frame 5 is tap 5 of frame 3, …, tap 0 of frame 8; frame 5's own is tap 3."""
    scores = np.zeros((12, 29), np.float32)
    scores[5, 7] = 1
    taps = cut_taps(scores, 30)
    assert taps.shape == (12, 6, 29)
    assert sorted(zip(*np.nonzero(taps[..., 7]), strict=True)) == [
        (3, 5), (4, 4), (5, 3), (6, 2), (7, 1), (8, 0),
    ]  # fmt: skip
    assert taps.sum() == 6


def test_taps_of_25_frames_a_second_lie_33_ms_apart():
    """Taps lie 5/6 of a frame apart: −2.5, −5/3, −5/6, 0, 5/6, 5/3 frames from frame t.

    An impulse in frame 5 is seen from frame 5 by tap 3 whole and by 2 and 4 with 1/6, from frame 6
    by tap 2 (at 5 + 1/6) with 5/6 and by tap 1 (at 4 + 1/3) with 1/3.
    """
    scores = np.zeros((12, 29), np.float32)
    scores[5, 0] = 1
    taps = cut_taps(scores, 25)[..., 0]
    assert taps[5] == pytest.approx([0, 0, 1 / 6, 1, 1 / 6, 0], abs=1e-6)
    assert taps[6] == pytest.approx([0, 1 / 3, 5 / 6, 0, 0, 0], abs=1e-6)
    assert taps[7] == pytest.approx([0.5, 2 / 3, 0, 0, 0, 0], abs=1e-6)


def test_the_ends_are_repeated():
    scores = np.arange(4.0)[:, None] * np.ones(29)
    assert cut_taps(scores, 30)[0, :, 0].tolist() == [0, 0, 0, 0, 1, 2]
    assert cut_taps(scores, 30)[3, :, 0].tolist() == [0, 1, 2, 3, 3, 3]


def test_ten_taps_begin_five_before():
    scores = np.arange(30.0)[:, None] * np.ones(29)
    assert cut_taps(scores, 30, 10)[12, :, 0].tolist() == list(range(7, 17))


MOUTH_LINE = MODEL.mean_shape[[13, 14], 1].mean()
BELOW = MODEL.mean_shape[:, 1] > MOUTH_LINE


def draw_talker(name, number=0, seed=0, n=40):
    """A person whose jaw is 8 mm down in every second frame, head moving, eyes closed at times."""
    rng = np.random.default_rng([seed, number])
    shape = MODEL.shape(np.random.default_rng(seed).normal(0, 1, 80))
    shapes = np.repeat(shape[None], n, axis=0)
    shapes[1::2, BELOW, 1] += 8
    ear = np.full((n, 2), 0.3, np.float32)
    ear[2::8] = 0.05
    return FakeClip(
        identity=name,
        source=f"videos/{name}{number}.mp4",
        num_frames=n,
        arrays={
            "face/landmarks": draw_mesh(shapes, draw_poses(rng, n, yaw=0.05)),
            "face/ear": ear,
            "face/valid": np.ones(n, bool),
        },
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Two clips of one person, one of another."""
    clips = [draw_talker("ann"), draw_talker("ann", 1), draw_talker("bob", seed=9)]
    return write_dataset(tmp_path_factory.mktemp("talkers"), {"a": clips})


def test_clips_have_a_row_of_everything_for_every_frame(dataset):
    clips = load_landmark_clips(dataset, split=None)
    assert [clip.id for clip in clips] == sorted(clip.id for clip in clips)
    for clip in clips:
        assert clip.scores.shape == (40, 6, 29)
        assert clip.canonical.shape == (40, 68, 2)
        assert clip.neutral.shape == (68, 2)
        assert clip.valid.shape == (40,)
        assert clip.ear.shape == (40, 2)
        assert clip.canonical.dtype == clip.scores.dtype == np.float32


def test_a_person_has_one_face_at_rest_and_another_another(dataset):
    ann, ann_too, bob = sorted(load_landmark_clips(dataset, split=None), key=lambda c: c.source)
    assert ann.neutral.tolist() == ann_too.neutral.tolist()
    assert ann.neutral.tolist() != bob.neutral.tolist()


def test_at_rest_everyone_is_the_canonical_face_wherever_the_head_is(dataset):
    """What is left of the head's movement is perspective."""
    clips = load_landmark_clips(dataset, split=None)
    for clip in clips:
        moved = np.abs(clip.canonical - clips.canonical_neutral)
        assert moved[::2].max() < 0.06
        assert moved[1::2, [8, 57, 66], 1].min() > 0.08


def test_a_jaw_of_8_mm_is_8_mm_on_the_persons_own_face(dataset):
    clips = load_landmark_clips(dataset, split=None)
    for clip in clips:
        own = retarget(clip.canonical, clips.canonical_neutral, clip.neutral)
        down = (own[1::2] - own[::2]).mean(axis=0)
        assert down[[8, 57, 66], 1] == pytest.approx(8, abs=0.8)  # seen from 600 mm
        assert np.abs(down[27]).max() < 0.5


def test_another_part_uses_the_training_parts_canonical_face(dataset):
    whole = load_landmark_clips(dataset, split=None)
    bob = load_landmark_clips(
        dataset, split=None, identity="bob", canonical_neutral=whole.canonical_neutral
    )
    (same,) = (clip for clip in whole if clip.identity == "bob")
    assert bob.clips[0].canonical.tolist() == same.canonical.tolist()
    alone = load_landmark_clips(dataset, split=None, identity="bob")
    assert alone.clips[0].canonical.tolist() != same.canonical.tolist()


def test_filled_frames_and_closed_eyes_are_never_the_face_at_rest(tmp_path):
    """Neither a mouth pressed in a filled frame nor one pressed in a blink counts."""
    clip = draw_talker("ann")
    expected = load_landmark_clips(write_dataset(tmp_path / "a", {"a": [clip]}), split=None)
    meshes = clip.arrays["face/landmarks"].copy()
    meshes[np.ix_([0, 2], np.flatnonzero(BELOW))] += [0, -30, 0]
    clip.arrays["face/landmarks"] = meshes
    clip.arrays["face/valid"][0] = False
    found = load_landmark_clips(write_dataset(tmp_path / "b", {"a": [clip]}), split=None)
    assert np.abs(found.clips[0].neutral - expected.clips[0].neutral).max() < 0.5


def test_a_frame_that_is_no_face_is_not_measured(tmp_path):
    clip = draw_talker("ann")
    clip.arrays["face/landmarks"][7, np.flatnonzero(BELOW)] *= 100
    clips = load_landmark_clips(write_dataset(tmp_path, {"a": [clip]}), split=None)
    assert np.flatnonzero(~clips.clips[0].valid).tolist() == [7]
    assert clips.clips[0].canonical[7] == pytest.approx(clips.canonical_neutral, abs=1e-6)


def test_a_person_without_a_measured_frame_is_named(tmp_path):
    clip = draw_talker("ann")
    clip.arrays["face/valid"][:] = False
    with pytest.raises(ToolkitError, match="ann: no frame is measured"):
        load_landmark_clips(write_dataset(tmp_path, {"a": [clip]}), split=None)


def test_a_changed_point_is_another_fingerprint(dataset):
    clips = load_landmark_clips(dataset, split=None)
    before = take_fingerprint(clips, clips)
    clips.clips[0].canonical[3, 4, 0] += 1e-3
    after = take_fingerprint(clips, clips)
    changed = [key for key in before["clips to train on"]
               if before["clips to train on"][key] != after["clips to train on"][key]]  # fmt: skip
    assert changed == [clips.clips[0].id]


def test_shards_without_speech_name_the_option(tmp_path):
    clip = draw_talker("ann")
    names = {"audio/deepspeech"}
    row = make_clip(clip, 0, 0)
    row = replace(row, arrays={k: v for k, v in row.arrays.items() if k not in names})
    with DatasetWriter(
        tmp_path, "a", options=OPTIONS, fps=FPS, frame_size=0, provenance={}
    ) as writer:
        writer.add_clip(row)
    with pytest.raises(ShardError, match="--deepspeech"):
        load_landmark_clips(tmp_path, split=None)
