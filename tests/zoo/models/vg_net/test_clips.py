"""What is read of shards: stretches of measured frames, and windows of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.zoo.models.vg_net.talkers import NUM_FRAMES, UNMEASURED, WINDOW, write_talkers
from toolkit.errors import ShardError, ToolkitError
from zoo.data.order import cut_order
from zoo.landmarks.aligned import average_aligned
from zoo.models.vg_net.batches import WindowBatch, Windows, cut_frames
from zoo.models.vg_net.clips import FaceClip, load_face_clips
from zoo.models.vg_net.framing import Floats, frame_face
from zoo.training.pictures import to_pictures


@pytest.fixture(scope="module", name="shards")
def _shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_talkers(tmp_path_factory.mktemp("people"))


def find_mean(clips: tuple[FaceClip, ...]) -> Floats:
    return average_aligned([clip.landmarks[clip.measured] for clip in clips])


def make_windows(shards: Path, *, epoch: int = 0, window: int = WINDOW) -> Windows:
    clips = load_face_clips(shards, num_frames=window, split=None)
    return Windows(clips, find_mean(clips), window, seed=0, epoch=epoch)


def test_stretches_end_where_a_frame_is_not_measured(shards: Path) -> None:
    """Frames 0 to 8, then 10 to 21: of ten frames the second alone."""
    (clip, *_) = load_face_clips(shards, num_frames=WINDOW, split="train")
    assert clip.stretches == ((0, UNMEASURED), (UNMEASURED + 1, NUM_FRAMES))
    assert clip.measured.tolist() == [k for k in range(NUM_FRAMES) if k != UNMEASURED]
    (clip, *_) = load_face_clips(shards, num_frames=10, split="train")
    assert clip.stretches == ((UNMEASURED + 1, NUM_FRAMES),)


def test_clips_without_a_stretch_are_left_out_and_refused_where_no_other_is_there(
    shards: Path,
) -> None:
    with pytest.raises(ToolkitError, match="no clip of train has 13 measured frames"):
        load_face_clips(shards, num_frames=13, split="train")


def test_windows_lie_side_by_side_in_measured_frames_with_a_picture_nearby(shards: Path) -> None:
    """Of 9 frames one window of 5, of 12 two: three of each of four clips, over 20 epochs."""
    firsts, pictures = set(), set()
    for epoch in range(20):
        windows = make_windows(shards, epoch=epoch)
        assert len(windows) == 12
        for _, first, picture in windows.starts:
            begin, end = (0, 9) if first < UNMEASURED else (10, 22)
            assert begin <= first <= end - WINDOW
            assert begin <= picture < end
            assert first - WINDOW <= picture < first + 2 * WINDOW
            firsts.add(first)
            pictures.add(picture)
        mine = [first for number, first, _ in windows.starts if number == 0]
        assert mine[2] - mine[1] == WINDOW
    assert firsts == {*range(5), 10, 11, 12, 15, 16, 17}
    assert pictures == set(range(NUM_FRAMES)) - {UNMEASURED}


def test_a_window_is_framed_by_its_picture_and_landmarks_belong_to_their_frames(
    shards: Path,
) -> None:
    windows = make_windows(shards)
    batch = windows.gather(np.array([2, 5]))
    assert batch.target.shape == (2, WINDOW, 3, 128, 128)
    assert batch.landmarks.shape == (2, WINDOW, 136)
    clips = load_face_clips(shards, num_frames=WINDOW, split=None)
    for row, place in enumerate((2, 5)):
        number, first, picture = windows.starts[place]
        clip, mean = clips[number], find_mean(clips)
        framing = frame_face(clip.landmarks[picture], mean)
        expected = framing.align.apply(clip.landmarks[first + 3]).reshape(-1)
        assert batch.landmarks[row, 3].numpy() == pytest.approx(expected, abs=1e-5)
        alone = frame_face(clip.landmarks[first + 3], mean)
        shape = alone.align.apply(clip.landmarks[first + 3]).reshape(-1)
        assert batch.shapes[row, 3].numpy() == pytest.approx(shape, abs=1e-5)
        own = framing.align.apply(clip.landmarks[picture]).reshape(-1)
        assert batch.identity[row].numpy() == pytest.approx(own, abs=1e-5)
        assert np.array_equal(to_pictures(batch.target[row, 3]), framing.cut(clip.read(first + 3)))
        assert np.array_equal(to_pictures(batch.picture[row]), framing.cut(clip.read(picture)))


def test_what_the_head_moves_is_in_the_landmarks_and_not_in_the_shapes(shards: Path) -> None:
    clips = load_face_clips(shards, num_frames=WINDOW, split="train")
    mean, still = find_mean(clips), clips[0]
    moved = still.landmarks.copy()
    moved[2] = 1.2 * moved[2] + (5, -3)
    before, after = (
        cut_frames(replace(still, landmarks=points), [0, 1, 2], mean)
        for points in (still.landmarks, moved)
    )
    assert after[2] == pytest.approx(before[2], abs=1e-9)
    assert after[1][:2] == pytest.approx(before[1][:2], abs=1e-9)
    assert np.abs(after[1][2] - before[1][2]).mean() > 0.1


def test_windows_depend_on_seed_and_epoch_alone(shards: Path) -> None:
    assert make_windows(shards, epoch=3).starts == make_windows(shards, epoch=3).starts
    assert make_windows(shards, epoch=3).starts != make_windows(shards, epoch=4).starts


def test_shards_of_25_and_of_30_frames_a_second_give_windows_alike(tmp_path: Path) -> None:
    """A window is of consecutive frames, whatever their clock."""
    batches: list[WindowBatch] = []
    for fps in (25, 30):
        shards = write_talkers(tmp_path / str(fps), people=4, fps=fps)
        windows = make_windows(shards)
        batches += [windows.gather(places) for places in cut_order(np.arange(len(windows)), 12)]
    assert torch.equal(batches[0].target, batches[1].target)
    assert torch.equal(batches[0].landmarks, batches[1].landmarks)


def test_crops_that_are_missing_are_asked_for(tmp_path: Path) -> None:
    shards = write_talkers(tmp_path, frame_size=0)
    with pytest.raises(ShardError, match="has no frames: run ttk ingest with --frame-size 256"):
        load_face_clips(shards, num_frames=WINDOW, split="train")
