"""Clips, normalisation, windows and batches: against hand calculation and direct indexing."""

import dataclasses
import math
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.datasets import FPS, FakeClip, make_row, write_dataset, write_shard
from toolkit.dataset.job_records import move_sources
from toolkit.dataset.manifest import read_table, write_part, write_split
from toolkit.dataset.shard import ShardReader
from toolkit.dataset.windows import Span, Windows
from toolkit.errors import ManifestError, ShardError, ToolkitError
from toolkit.schema import Source
from zoo.data import (
    AU45,
    EXPRESSION,
    POSE,
    Holdout,
    MotionBatch,
    MotionBatches,
    MotionClip,
    MotionWindows,
    Normalisation,
    find_clip,
    load_clips,
)
from zoo.training.checkpoint import load_checkpoint, save_checkpoint

T = 16
"""Frames of a window here."""


def make_clip(
    num_frames: int = 40, *, seed: int = 0, clip_id: str = "c", identity: str = "ann"
) -> MotionClip:
    """Random audio, motion and validity."""
    rng = np.random.default_rng(seed)
    return MotionClip(
        id=clip_id,
        identity=identity,
        source=f"{clip_id}.mp4",
        start_frame=0,
        fps=FPS,
        audio=rng.normal(-3, 2, (num_frames, 29)).astype(np.float32),
        motion=rng.normal(1, 3, (num_frames, 71)).astype(np.float32),
        valid=rng.random(num_frames) < 0.8,
    )


def make_clips(lengths: Sequence[int]) -> list[MotionClip]:
    """One clip of each length, of two people in turn."""
    return [
        make_clip(length, seed=k, clip_id=f"clip{k}", identity=("ann", "bob")[k % 2])
        for k, length in enumerate(lengths)
    ]


def make_windows(lengths: Sequence[int] = (40, 23, 31), **arguments: int) -> MotionWindows:
    """Windows of 16 frames over random clips."""
    clips = make_clips(lengths)
    return MotionWindows(clips, Normalisation.fit(clips), num_frames=T, **arguments)


def equal(ours: MotionBatch, theirs: MotionBatch) -> bool:
    """Whether two batches hold the same numbers."""
    pairs = [(getattr(ours, f.name), getattr(theirs, f.name)) for f in dataclasses.fields(ours)]
    return all(a is b if a is None else torch.equal(a, b) for a, b in pairs)


# --- windows ------------------------------------------------------------------------------------


@given(st.integers(0, 700), st.integers(1, 200), st.integers(1, 50))
def test_windows_stand_every_stride_frames_and_the_last_is_included(
    num_frames: int, window: int, stride: int
) -> None:
    """By enumeration of every frame."""
    possible = range(max(0, num_frames - window + 1))
    wanted = [s for s in possible if s % stride == 0 or s == num_frames - window]
    windows = Windows({}, [Span(0, 0, num_frames)], window, stride=stride)
    assert windows.place(np.arange(len(windows)))[1].tolist() == wanted


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(1, 9), st.data())
def test_a_window_holds_the_frames_of_its_clip_alone(
    lengths: list[int], stride: int, data: st.DataObject
) -> None:
    """Against indexing of the normalised clip, frame by frame; beyond its ends stand zeros."""
    clips = make_clips(lengths)
    normalisation = Normalisation.fit(clips)
    if max(lengths) < T:
        with pytest.raises(ToolkitError, match="shorter than 16 frames"):
            MotionWindows(clips, normalisation, num_frames=T, stride=stride)
        return
    windows = MotionWindows(clips, normalisation, num_frames=T, stride=stride)
    number = data.draw(st.integers(0, len(windows) - 1))
    batch = windows.gather(np.array([number]))
    clip, start = clips[int(batch.clip)], int(batch.start)
    audio = normalisation.normalise_audio(clip.audio)
    for row, t in enumerate(range(start - 8, start + T + 7)):
        wanted = audio[t] if 0 <= t < clip.num_frames else np.zeros(29, np.float32)
        np.testing.assert_array_equal(batch.audio[0, row], wanted)
    motion = normalisation.normalise_motion(clip)
    np.testing.assert_array_equal(batch.motion[0], motion[start : start + T])
    np.testing.assert_array_equal(batch.valid[0], clip.valid[start : start + T])
    assert windows.ids[int(batch.clip)] == clip.id
    assert windows.identities[int(batch.identity)] == clip.identity


def test_windows_cover_every_frame_of_every_long_clip() -> None:
    """With a stride of at most T, as by default; of the clip of 9 frames there is none."""
    windows = make_windows((40, 9, 33))
    batch = windows.gather(np.arange(len(windows)))
    seen = {(c, s + t) for c, s in zip(batch.clip.tolist(), batch.start.tolist(), strict=True)
            for t in range(T)}  # fmt: skip
    assert seen == {(0, t) for t in range(40)} | {(2, t) for t in range(33)}


@given(st.integers(0, 49))
def test_an_impulse_reaches_only_the_local_windows_around_it(u: int) -> None:
    """Audio at frame u is in c_t for u − 7 ≤ t ≤ u + 8 and for no other t of the clip."""
    num_frames = 50
    quiet, impulse = make_clip(num_frames), make_clip(num_frames)
    impulse.audio[u] += 1
    normalisation = Normalisation.fit([quiet])
    changed = set[int]()
    pair = [MotionWindows([c], normalisation, num_frames=T, stride=1) for c in (quiet, impulse)]
    everything = np.arange(len(pair[0]))
    before, after = (windows.gather(everything) for windows in pair)
    local = [batch.audio.unfold(1, 16, 1) for batch in (before, after)]  # (B, T, 29, 16)
    assert local[0].shape[1] == T
    for window, t in (local[0] != local[1]).any(dim=(2, 3)).nonzero().tolist():
        changed.add(int(before.start[window]) + t)
    assert changed == {t for t in range(num_frames) if u - 7 <= t <= u + 8}


def test_index_8_of_a_local_window_is_its_frame() -> None:
    """`audio[:, t : t + 16]` is `a[t − 8 : t + 8]`."""
    clip = make_clip(60)
    normalisation = Normalisation.fit([clip])
    windows = MotionWindows([clip], normalisation, num_frames=T, stride=10)
    batch = windows.gather(np.array([2]))
    audio = torch.from_numpy(normalisation.normalise_audio(clip.audio))
    for t in range(T):
        assert torch.equal(batch.audio[0, t : t + 16][8], audio[20 + t])
        assert torch.equal(batch.audio[0, t : t + 16], audio[20 + t - 8 : 20 + t + 8])


def test_padding_is_zero_after_standardising() -> None:
    """An average score, where a stored log-probability of 0 would be certainty."""
    clip = make_clip(T)
    normalisation = Normalisation.fit([clip])
    audio = MotionWindows([clip], normalisation, num_frames=T).gather(np.array([0])).audio
    assert audio.shape == (1, T + 15, 29)
    assert not audio[0, :8].any() and not audio[0, -7:].any()
    assert (normalisation.normalise_audio(np.zeros((1, 29), np.float32)) > 0.5).all()


def test_a_batch_is_a_copy() -> None:
    """Changing it changes no other."""
    windows = make_windows()
    windows.gather(np.array([0])).motion.zero_()
    assert windows.gather(np.array([0])).motion.abs().sum() > 0


def test_given_identities_keep_their_order_and_strangers_are_refused() -> None:
    """A classifier's classes are those of its training."""
    clips = make_clips((20, 20))
    normalisation = Normalisation.fit(clips)
    names = ["zoe", "bob", "ann"]
    windows = MotionWindows(clips, normalisation, num_frames=T, identities=names)
    assert set(windows.gather(np.arange(len(windows))).identity.tolist()) == {1, 2}
    with pytest.raises(ValueError, match="bob is none of ann"):
        MotionWindows(clips, normalisation, num_frames=T, identities=["ann"])


# --- batches ------------------------------------------------------------------------------------


def flatten(batches: list[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """Windows of all batches, one behind the other."""
    return [window for batch in batches for window in batch]


def list_windows(batches: MotionBatches) -> list[list[tuple[int, int]]]:
    """(clip, start) of every window of every batch."""
    return [list(zip(b.clip.tolist(), b.start.tolist(), strict=True)) for b in batches.load(0, 0)]


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 3))
def test_processes_share_every_batch_evenly(world_size: int, share: int, epoch: int) -> None:
    """As many batches of as many windows each; together, the batches of a single process."""
    windows = make_windows()
    size = share * world_size
    whole = MotionBatches(windows, batch_size=size, seed=3, epoch=epoch)
    parts = [
        MotionBatches(
            windows, batch_size=size, seed=3, epoch=epoch, rank=rank, world_size=world_size
        )
        for rank in range(world_size)
    ]
    assert {len(part) for part in parts} == {len(whole)} == {max(1, len(windows) // size)}
    assert {len(batch) for part in parts for batch in part.load(0, 0)} == {
        min(size, len(windows) // world_size * world_size) // world_size
    }
    for number, batch in enumerate(list_windows(whole)):
        shares = [list_windows(part)[number] for part in parts]
        if len(batch) == size:
            assert sorted(flatten(shares)) == sorted(batch)
        assert len(set(flatten(shares))) == sum(map(len, shares))


def test_an_epoch_sees_every_window_once_but_for_an_incomplete_batch() -> None:
    """Another epoch or seed has another order."""
    windows = make_windows()
    everything = set(flatten(list_windows(MotionBatches(windows, batch_size=1000))))
    orders = []
    for seed, epoch in ((0, 0), (0, 1), (1, 0)):
        found = list_windows(MotionBatches(windows, batch_size=4, seed=seed, epoch=epoch))
        flat = flatten(found)
        assert {len(batch) for batch in found} == {4}
        assert len(flat) == len(set(flat)) == len(windows) // 4 * 4
        assert set(flat) <= everything
        orders.append(flat)
    assert orders[0] != orders[1] and orders[0] != orders[2]


def test_fewer_windows_than_a_batch_are_one_batch() -> None:
    """Rather than none, and even where they do not divide by the processes."""
    windows = make_windows((26,))  # starts 0, 5, 10
    assert len(windows) == 3
    (batch,) = MotionBatches(windows, batch_size=64, seed=0).load(0, 0)
    assert sorted(batch.start.tolist()) == [0, 5, 10]
    halves = [
        list(MotionBatches(windows, batch_size=64, seed=0, rank=r, world_size=2)) for r in (0, 1)
    ]
    assert [[len(b) for b in half] for half in halves] == [[1], [1]]
    with pytest.raises(ToolkitError, match="3 windows are too few for 4 processes"):
        MotionBatches(windows, batch_size=64, seed=0, world_size=4)


def test_without_a_seed_all_windows_stand_in_order() -> None:
    """For validation: the last batch is the rest."""
    windows = make_windows()
    found = list_windows(MotionBatches(windows, batch_size=4))
    assert [len(batch) for batch in found[:-1]] == [4] * (len(found) - 1)
    assert flatten(found) == sorted(flatten(found)) and len(flatten(found)) == len(windows)


def test_uneven_shares_are_refused() -> None:
    """A batch that processes cannot share, and several processes in order."""
    windows = make_windows()
    with pytest.raises(ValueError, match="batch of 9 windows cannot be shared evenly by 2"):
        MotionBatches(windows, batch_size=9, seed=0, world_size=2)
    with pytest.raises(ValueError, match="need a seed"):
        MotionBatches(windows, batch_size=8, world_size=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_do_not_depend_on_the_number_of_workers(workers: int) -> None:
    """The same numbers in the same order, made here or by other processes."""
    batches = MotionBatches(make_windows(), batch_size=4, seed=5, epoch=2)
    ours, theirs = list(batches.load(0, 0)), list(batches.load(0, workers))
    assert len(ours) == len(theirs) == len(batches) > 1
    assert all(equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_resuming_gives_the_batches_that_were_left() -> None:
    """Batches 2, 3, … are those of an epoch that was not interrupted."""
    whole = list(MotionBatches(make_windows(), batch_size=3, seed=5, epoch=2).load(0, 0))
    rest = list(MotionBatches(make_windows(), batch_size=3, seed=5, epoch=2).load(2, 0))
    assert len(rest) == len(whole) - 2 > 1
    assert all(equal(a, b) for a, b in zip(whole[2:], rest, strict=True))


# --- normalisation ------------------------------------------------------------------------------


def make_exact(values: npt.ArrayLike, identity: str = "ann") -> MotionClip:
    """A clip whose every column of audio and motion holds these values."""
    column = np.asarray(values, np.float32)[:, None]
    return dataclasses.replace(
        make_clip(len(column), identity=identity),
        audio=np.repeat(column, 29, axis=1),
        motion=np.repeat(column, 71, axis=1),
    )


def test_statistics_are_those_worked_out_by_hand() -> None:
    """Clips (0, 2) and (10, 14): means 1 and 12, squares within them 1, 1, 4, 4."""
    one, two = make_exact([0, 2]), make_exact([10, 14], "bob")
    normalisation = Normalisation.fit([one, two])
    assert normalisation.audio_mean == pytest.approx([6.5] * 29)
    deviation = np.sqrt((6.5**2 + 4.5**2 + 3.5**2 + 7.5**2) / 4)
    assert normalisation.audio_scale == pytest.approx([deviation] * 29)
    assert normalisation.expression_scale == pytest.approx(deviation)
    assert normalisation.pose_scale == pytest.approx([np.sqrt(10 / 4)] * 6)
    assert normalisation.pose_means["bob"] == pytest.approx([12] * 6)
    motion = normalisation.normalise_motion(two)
    assert motion[0, POSE] == pytest.approx([-2 / np.sqrt(2.5)] * 6)
    assert motion[0, EXPRESSION] == pytest.approx([10 / deviation] * 64)
    assert motion[0, AU45] == pytest.approx([10.0])


def test_where_a_head_is_does_not_drown_how_it_moves() -> None:
    """Moving a clip two metres away changes no normalised number but its identity's mean."""
    near = make_clip()
    far = dataclasses.replace(near, motion=near.motion.copy())
    far.motion[:, 69] += 2000
    ours, theirs = Normalisation.fit([near]), Normalisation.fit([near, far])
    np.testing.assert_allclose(theirs.pose_scale, ours.pose_scale, rtol=1e-4)
    np.testing.assert_allclose(
        theirs.normalise_motion(far), theirs.normalise_motion(near), atol=1e-4
    )


def test_expression_components_keep_their_weight() -> None:
    """One scale for all: ratios between components are as stored."""
    clip = make_clip()
    clip.motion[:, 0] *= 100
    motion = Normalisation.fit([clip]).normalise_motion(clip)
    ratio = np.std(clip.motion[:, 0]) / np.std(clip.motion[:, 1])
    assert np.std(motion[:, 0]) / np.std(motion[:, 1]) == pytest.approx(ratio, rel=1e-4)


def test_a_constant_column_is_not_divided_by_zero() -> None:
    """Audio of digital silence, a head on a stand."""
    clip = make_exact(np.full(20, 3.0))
    normalisation = Normalisation.fit([clip])
    assert not normalisation.normalise_audio(clip.audio).any()
    assert np.isfinite(normalisation.normalise_motion(clip)).all()


@pytest.mark.parametrize("kind", ["split", "clip"])
def test_denormalising_gives_back_the_motion(kind: str) -> None:
    """With the clip's own mean, and for the kind `clip` its own deviation."""
    clip = make_clip()
    normalisation = Normalisation.fit([clip], kind)
    pose = clip.motion[:, POSE]
    back = normalisation.denormalise_motion(
        normalisation.normalise_motion(clip),
        pose.mean(axis=0),
        pose.std(axis=0) if kind == "clip" else None,
    )
    np.testing.assert_allclose(back, clip.motion, atol=1e-4)


def test_the_kind_clip_is_the_released_codes() -> None:
    """Pose z-scored per clip; expression and AU45 as stored; scores against even odds, −ln 29."""
    clips = make_clips((40, 30))
    clips[1].motion[:, POSE] *= 50
    normalisation = Normalisation.fit(clips, "clip")
    for clip in clips:
        motion = normalisation.normalise_motion(clip)
        np.testing.assert_allclose(motion[:, POSE].mean(axis=0), np.zeros(6), atol=1e-4)
        np.testing.assert_allclose(motion[:, POSE].std(axis=0), np.ones(6), atol=1e-4)
        np.testing.assert_array_equal(motion[:, EXPRESSION], clip.motion[:, EXPRESSION])
        np.testing.assert_array_equal(motion[:, AU45], clip.motion[:, AU45])
        audio = normalisation.normalise_audio(clip.audio)
        np.testing.assert_allclose(audio, clip.audio + math.log(29), rtol=1e-6)
        logits = Normalisation.fit(clips, "clip", scale="logit").normalise_audio(clip.audio)
        np.testing.assert_array_equal(logits, clip.audio)
    with pytest.raises(ValueError, match="needs a clip's or an identity's pose deviation"):
        normalisation.denormalise_motion(clips[0].motion, np.zeros(6, np.float32))


def test_what_the_kind_clip_pads_with_is_even_odds_of_all_symbols() -> None:
    """As the zeros that the released code puts around raw logits."""
    normalisation = Normalisation.fit([make_clip()], "clip")
    row = np.full((1, 29), -math.log(29), np.float32)
    assert np.exp(row).sum() == pytest.approx(1)
    np.testing.assert_array_equal(normalisation.normalise_audio(row), np.zeros((1, 29)))


@pytest.mark.parametrize(("kind", "divisor"), [("split", 5), ("clip", 1)])
def test_a_checkpoint_that_does_not_say_divided_au45_by_five(kind: str, divisor: int) -> None:
    """All of kind `split` did, before AU45 was trained in its own unit; `clip` never."""
    clip = make_clip()
    normalisation = Normalisation.fit([clip], kind)
    np.testing.assert_array_equal(
        normalisation.normalise_motion(clip)[:, AU45], clip.motion[:, AU45]
    )
    state = normalisation.to_state()
    del state["au45_scale"]
    before = Normalisation.from_state(state)
    motion = before.normalise_motion(clip)
    np.testing.assert_allclose(motion[:, AU45], clip.motion[:, AU45] / divisor)
    back = before.denormalise_motion(motion, np.zeros(6, np.float32), np.ones(6, np.float32))
    np.testing.assert_allclose(back[:, AU45], clip.motion[:, AU45], rtol=1e-6)


def test_the_last_window_can_be_left_out() -> None:
    """As the released code does: of 20 frames starts 0 to 3, not 4; of 16 frames none."""
    clips = make_clips((20, 16))
    normalisation = Normalisation.fit(clips)
    windows = MotionWindows(clips, normalisation, num_frames=T, stride=1, last=False)
    batch = windows.gather(np.arange(len(windows)))
    assert batch.clip.tolist() == [0, 0, 0, 0]
    assert batch.start.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(  # the context reads on to the clip's own end
        batch.audio[3],
        MotionWindows(clips, normalisation, num_frames=T, stride=1).gather(np.array([3])).audio[0],
    )
    with pytest.raises(ToolkitError, match="no clip is longer than a window of 16 frames"):
        MotionWindows(make_clips((16,)), normalisation, num_frames=T, last=False)


def test_statistics_survive_a_checkpoint(tmp_path: Path) -> None:
    """Loaded with `weights_only=True`."""
    clips = make_clips((40, 30))
    ours = Normalisation.fit(clips)
    save_checkpoint(tmp_path / "a.pt", {"kind": "test", "normalisation": ours.to_state()})
    state = load_checkpoint(tmp_path / "a.pt", "test")["normalisation"]
    theirs = Normalisation.from_state(state)
    for clip in clips:
        assert np.array_equal(ours.normalise_motion(clip), theirs.normalise_motion(clip))
        assert np.array_equal(ours.normalise_audio(clip.audio), theirs.normalise_audio(clip.audio))
    assert ours.pose_means.keys() == theirs.pose_means.keys() == {"ann", "bob"}
    assert np.array_equal(ours.pose_deviations["bob"], theirs.pose_deviations["bob"])


def test_an_identity_can_be_added_without_changing_the_scales() -> None:
    """As fine-tuning does with the base model's statistics."""
    base = Normalisation.fit([make_clip()])
    clip = make_clip(seed=9, identity="zoe")
    tuned = base.add_identities([clip])
    assert np.array_equal(tuned.normalise_motion(clip), base.normalise_motion(clip))
    assert tuned.pose_means["zoe"] == pytest.approx(clip.motion[:, POSE].mean(axis=0), abs=1e-5)
    assert "zoe" not in base.pose_means


def test_statistics_of_nothing_or_of_an_unknown_kind_are_refused() -> None:
    """A caller's mistakes."""
    with pytest.raises(ValueError, match="not 0 and 'split'"):
        Normalisation.fit([])
    with pytest.raises(ValueError, match="'zscore'"):
        Normalisation.fit([make_clip()], "zscore")


# --- clips from shards --------------------------------------------------------------------------


def write_split_of(dataset: Path, parts: dict[str, list[FakeClip]]) -> None:
    """A split as ttk writes it."""
    rows: list[dict[str, object]] = [
        {"clip_id": clip.id, "split": part, "by": "source", "ratio": "1-1-1", "seed": 0}
        for part, clips in parts.items()
        for clip in clips
    ]
    write_split(dataset, rows)


def make_source(name: str, lengths: Sequence[int], identity: str = "ann") -> list[FakeClip]:
    """Clips that follow one another in a source, with 10 frames between them."""
    starts = np.cumsum([0, *(length + 10 for length in lengths)]).tolist()
    return [
        FakeClip(identity=identity, source=f"videos/{name}.mp4", start_frame=s, num_frames=n)
        for s, n in zip(starts, lengths, strict=False)
    ]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two shards: ann's two sources, bob's one; one source for each part of the split."""
    a, b, c = make_source("a", [150, 200]), make_source("b", [160]), make_source("c", [140], "bob")
    write_dataset(tmp_path, {"one": [*a, *c], "two": b})
    write_split_of(tmp_path, {"train": a, "val": b, "test": c})
    return tmp_path


def test_clips_of_a_part_are_those_of_the_shards(dataset: Path) -> None:
    """The arrays side by side, as `ShardReader` reads them one by one."""
    found = load_clips(dataset / "shards", split="train")
    reader = ShardReader(dataset / "shards/one.h5")
    assert [clip.num_frames for clip in found] != [] and len(found) == 2
    for clip in found:
        index = [stored.id for stored in reader.clips].index(clip.id)
        np.testing.assert_array_equal(clip.audio, reader.read("audio/deepspeech", index))
        np.testing.assert_array_equal(
            clip.motion[:, EXPRESSION], reader.read("face/expression", index)
        )
        np.testing.assert_array_equal(clip.motion[:, POSE], reader.read("face/pose", index))
        np.testing.assert_array_equal(clip.motion[:, 70], reader.read("face/au45", index))
        np.testing.assert_array_equal(clip.valid, reader.read("face/valid", index))
        assert (clip.identity, clip.source) == ("ann", "videos/a.mp4")
    assert (found.fps, found.scale, found.backends["au45"]) == (FPS, "log_prob", "embedded 1")
    assert (found.identities, found.num_frames, found.num_short) == (("ann",), 350, 0)


def test_the_folder_of_the_dataset_will_do(dataset: Path) -> None:
    """And no split: all clips, in one order whatever shard they are in."""
    ids = [[clip.id for clip in load_clips(f, split=None)] for f in (dataset, dataset / "shards")]
    assert ids[0] == ids[1] == sorted(ids[0]) and len(ids[0]) == 4
    assert len(load_clips(dataset, split=None, where="num_frames < 160")) == 2
    assert len(load_clips(dataset, split="train", identity="ann")) == 2


def test_shards_that_are_a_link_to_those_of_another_dataset_are_refused(
    dataset: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    (other / "manifests").mkdir(parents=True)
    (other / "shards").symlink_to(dataset / "shards")
    for shards in (other, other / "shards"):
        with pytest.raises(ToolkitError):
            load_clips(shards, split=None)


def test_clips_that_are_too_short_are_counted(dataset: Path) -> None:
    """And left out."""
    found = load_clips(dataset, split=None, min_frames=160)
    assert (len(found), found.num_short) == (2, 2)
    with pytest.raises(ToolkitError, match="no clip of test has 200 frames: the longest has 140"):
        load_clips(dataset, split="test", min_frames=200)


def test_what_is_missing_is_named(dataset: Path, tmp_path: Path) -> None:
    """A dataset, a split, a part, a person."""
    with pytest.raises(ManifestError, match="no dataset here"):
        load_clips(tmp_path / "shards" / "deeper", split="train")
    with pytest.raises(ToolkitError, match="no clip of bob is in train: see ttk stats"):
        load_clips(dataset, split="train", identity="bob")
    with pytest.raises(ToolkitError, match="no clip is in spare"):
        load_clips(dataset, split="spare")
    with pytest.raises(ToolkitError, match="unknown identity 'eve': choose from ann, bob"):
        load_clips(dataset, split=None, identity="eve")
    with pytest.raises(ToolkitError, match="for which num_frames > 999 holds"):
        load_clips(dataset, split=None, where="num_frames > 999")
    (dataset / "manifests/split.parquet").unlink()
    with pytest.raises(ManifestError, match="no split has been made: run ttk split"):
        load_clips(dataset, split="train")


def test_shards_of_other_backends_are_refused(dataset: Path) -> None:
    """Unless told to mix them; the checkpoint then names both."""
    write_shard(dataset / "shards/two.h5", make_source("b", [160]), au45_version="2")
    with pytest.raises(ShardError, match=r"two.h5: au45 by embedded 2, but embedded 1 in .*one.h5"):
        load_clips(dataset, split=None)
    found = load_clips(dataset, split=None, mix_backends=True)
    assert found.backends["au45"] == "embedded 1 | embedded 2"
    assert load_clips(dataset, split="train").backends["au45"] == "embedded 1"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("fps", 25, "frame rate 25, but 30"), ("scale", "logit", "audio scale logit, but log_prob")],
)
def test_shards_of_another_kind_are_refused(
    dataset: Path, name: str, value: object, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another frame rate, raw scores instead of log-probabilities."""
    made = ShardReader.__init__

    def read(self: ShardReader, path: Path) -> None:
        made(self, path)
        if path.name == "two.h5":
            setattr(self, name, value)

    monkeypatch.setattr(ShardReader, "__init__", read)
    with pytest.raises(ToolkitError, match=f"two.h5: {words}"):
        load_clips(dataset, split=None)


def test_a_clip_that_its_shard_lacks_is_an_error(dataset: Path) -> None:
    """The manifest speaks of it."""
    stray = FakeClip(source="videos/z.mp4", num_frames=150)
    rows = [make_row(clip, "two", k) for k, clip in enumerate([*make_source("b", [160]), stray])]
    write_part(dataset, "clips", "two", rows)
    with pytest.raises(ShardError, match=f"two.h5: lacks clip {stray.id}: see ttk validate"):
        load_clips(dataset, split=None)


def test_clips_and_windows_survive_a_pickle(dataset: Path) -> None:
    """Nothing of HDF5 is in them."""
    clips = load_clips(dataset, split="train")
    copy = pickle.loads(pickle.dumps(clips))
    assert all(np.array_equal(a.audio, b.audio) for a, b in zip(clips, copy, strict=True))
    windows = MotionWindows(clips, Normalisation.fit(clips))
    again = pickle.loads(pickle.dumps(windows))
    assert equal(windows.gather(np.arange(3)), again.gather(np.arange(3)))


# --- holdout ------------------------------------------------------------------------------------


def list_spans(clips: object) -> set[tuple[str, int, int]]:
    """(source, first frame, last frame) of clips."""
    assert hasattr(clips, "__iter__")
    return {(Path(c.source).stem, c.start_frame, c.start_frame + c.num_frames - 1) for c in clips}


def test_the_last_share_of_source_time_is_held_out(dataset: Path) -> None:
    """Of ann's 150 + 200 + 160 frames the last fifth is 102: frames 58 to 159 of source b."""
    holdout = Holdout(share=0.2, identity="ann", gap=20)
    kept = load_clips(dataset, split=None, holdout=holdout, min_frames=1)
    held = load_clips(dataset, split=None, holdout=holdout, held=True, min_frames=1)
    assert list_spans(held) == {("b", 58, 159)}
    assert list_spans(kept) == {("a", 0, 149), ("a", 160, 359), ("b", 0, 37), ("c", 0, 139)}
    whole = {clip.id: clip for clip in load_clips(dataset, split=None)}
    (part,) = held
    np.testing.assert_array_equal(part.motion, whole[part.id].motion[58:])
    np.testing.assert_array_equal(part.audio, whole[part.id].audio[58:])


def test_sources_that_were_moved_are_held_out_as_before(dataset: Path) -> None:
    """The manifest has their new paths, the shards the former ones."""
    rows = read_table(dataset, "sources").set_index("source")["sha256"]
    for name in "abc":
        source = f"videos/{name}.mp4"
        now = Source(path=f"far/{name}.mp4", size=1, mtime_ns=1, sha256=rows[source], identity="",
                     duration=1.0)  # fmt: skip
        move_sources(dataset, [(source, now)])
    holdout = Holdout(share=0.2, identity="ann", gap=20)
    kept = load_clips(dataset, split=None, holdout=holdout, min_frames=1)
    held = load_clips(dataset, split=None, holdout=holdout, held=True, min_frames=1)
    assert list_spans(held) == {("b", 58, 159)}
    assert list_spans(kept) == {("a", 0, 149), ("a", 160, 359), ("b", 0, 37), ("c", 0, 139)}
    assert {clip.source for clip in (*kept, *held)} == {f"far/{name}.mp4" for name in "abc"}


def test_a_base_model_and_its_fine_tuning_hold_out_the_same(dataset: Path) -> None:
    """Asked of one part of the split, the cut is that of all clips: here all of ann's source b."""
    holdout = Holdout(share=0.4, identity="ann", gap=20)  # 204 frames: b, and the last 44 of a
    train = load_clips(dataset, split="train", holdout=holdout, min_frames=1)
    assert list_spans(train) == {("a", 0, 149), ("a", 160, 295)}
    with pytest.raises(ToolkitError, match="once the holdout is cut: the longest has 0"):
        load_clips(dataset, split="val", holdout=holdout)


@given(
    st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=3), min_size=1, max_size=3),
    st.floats(0.01, 0.99),
    st.integers(0, 40),
)
def test_training_ends_a_gap_before_what_is_held_out(
    sources: list[list[int]], share: float, gap: int
) -> None:
    """Frame by frame: the held-out ones are the last of all, and enough of them."""
    import pandas as pd

    from zoo.data.holdout import find_cuts

    clips = [c for k, lengths in enumerate(sources) for c in make_source(f"s{k}", lengths)]
    table = pd.DataFrame([make_row(clip) for clip in clips])
    cut = find_cuts(table, Holdout(share=share, gap=gap))["ann"]
    order = [(c.source, c.start_frame + t) for c in clips for t in range(c.num_frames)]
    kept, held = (
        {
            (c.source, c.start_frame + t)
            for c in clips
            for t in range(*cut.keep(c.source, c.start_frame, c.num_frames, held=part))
        }
        for part in (False, True)
    )
    number = int(np.ceil(share * len(order)))
    assert held == set(order[-number:])
    source, frame = order[-number]
    assert kept == {(s, t) for s, t in order[:-number] if s != source or t < frame - gap}


@pytest.mark.parametrize("share", [0, 1, -0.2, 20])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    """20 is no 20 %."""
    with pytest.raises(ValueError, match="a share over 0 and below 1"):
        Holdout(share=share)


def test_held_frames_need_a_holdout(dataset: Path) -> None:
    """A caller's mistake."""
    with pytest.raises(ValueError, match="need a holdout"):
        load_clips(dataset, split=None, held=True)


# --- one clip -----------------------------------------------------------------------------------


def test_a_clip_is_found_by_its_id_or_the_beginning_of_it_in_dataset_or_shards(
    tmp_path: Path,
) -> None:
    """As `ttk show` finds it; an ambiguous beginning is an error that names the candidates."""
    clips = [FakeClip(source=f"{k}.mp4", num_frames=40 + k) for k in range(3)]
    write_dataset(tmp_path, {"j": clips})
    for folder in (tmp_path, tmp_path / "shards"):
        for text in (clips[1].id, clips[1].id[:8]):
            assert find_clip(folder, text).num_frames == 41
    with pytest.raises(ToolkitError, match="several clips' ids begin with ''") as failure:
        find_clip(tmp_path, "")
    assert all(clip.id[:8] in str(failure.value) for clip in clips)
    with pytest.raises(ToolkitError, match="no clip's id begins with 'zz'"):
        find_clip(tmp_path, "zz")
