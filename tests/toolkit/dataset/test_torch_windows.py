"""Windows as a PyTorch dataset: the shard's numbers, one by one and through a loader's workers."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from tests.datasets import FakeClip, write_dataset
from toolkit import torch_dataset
from toolkit.dataset.manifest import write_split
from toolkit.dataset.shard import ShardReader
from toolkit.dataset.windows import Context
from toolkit.errors import ManifestError, ToolkitError

VALID = np.array([True, True, False, True, True, True, True, False, True])
CLIPS = {
    "aaaaaaaaaaaa": [
        FakeClip(num_frames=9, arrays={"face/valid": VALID}),
        FakeClip(source="b.mp4", num_frames=5, identity="bob"),
    ],
    "bbbbbbbbbbbb": [FakeClip(source="c.mp4", num_frames=7, identity="cat")],
}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two shards of clips of 9, 5 and 7 frames; the last is in `val`, the others in `train`."""
    write_dataset(tmp_path, CLIPS)
    made = {"by": "clip", "ratio": "1-1-0", "seed": 0}
    parts = {clip.id: "train" for clip in CLIPS["aaaaaaaaaaaa"]}
    parts |= {clip.id: "val" for clip in CLIPS["bbbbbbbbbbbb"]}
    write_split(tmp_path, [{"clip_id": c, "split": part, **made} for c, part in parts.items()])
    return tmp_path


def test_an_item_is_the_window_of_the_shard_with_its_mask_and_its_clip(dataset: Path) -> None:
    windows = torch_dataset(dataset, ["face/pose", "audio/deepspeech"], 4)
    assert isinstance(windows, Dataset)
    assert len(windows) == 6 + 2 + 4
    reader = ShardReader(dataset / "shards" / "aaaaaaaaaaaa.h5")
    item = windows[2]
    assert sorted(item) == [
        "audio/deepspeech", "clip", "face/pose", "face/valid", "num_frames",
    ]  # fmt: skip
    assert item["num_frames"] == 4
    np.testing.assert_array_equal(item["face/pose"], reader.read("face/pose", 0)[2:6])
    assert item["face/pose"].dtype == torch.float32
    assert item["face/valid"].tolist() == [False, True, True, True]
    assert item["face/valid"].dtype == torch.bool
    assert [windows.clips[int(windows[i]["clip"])].identity for i in (0, 5, 6, 7, 8, -1)] == [
        "ann", "ann", "bob", "bob", "cat", "cat",
    ]  # fmt: skip
    item["face/pose"] += 1  # a copy: the file stays as it was
    np.testing.assert_array_equal(windows[2]["face/pose"], reader.read("face/pose", 0)[2:6])


def test_it_ends_where_its_windows_end(dataset: Path) -> None:
    windows = torch_dataset(dataset, ["face/pose"], 4, stride=4)
    assert len(list(windows)) == len(windows) == 3 + 2 + 2
    for index in (7, -8):
        with pytest.raises(IndexError, match="0 to 6"):
            windows[index]


def test_a_part_of_the_split_and_an_expression_choose_the_clips(dataset: Path) -> None:
    train = torch_dataset(dataset, ["face/pose"], 4, split="train")
    assert (len(train), {clip.identity for clip in train.clips}) == (6 + 2, {"ann", "bob"})
    long = torch_dataset(dataset, ["face/pose"], 4, split="train", where="num_frames > 5")
    assert len(long) == 6
    for part, frames in (("test", 4), ("val", 8)):
        with pytest.raises(
            ToolkitError, match=f"no clip of {part}|clip of {part} is .* longest has 7"
        ):
            torch_dataset(dataset, ["face/pose"], frames, split=part)
    with pytest.raises(ManifestError, match="no dataset here"):
        torch_dataset(dataset / "gone", ["face/pose"], 4)
    with pytest.raises(ValueError, match="split 'trian': choose from train, val, test"):
        torch_dataset(dataset, ["face/pose"], 4, split="trian")


def test_frames_beside_the_window_come_along(dataset: Path) -> None:
    context = {"audio/deepspeech": Context(before=2, after=1)}
    item = torch_dataset(dataset, ["audio/deepspeech"], 4, context=context)[0]
    speech = ShardReader(dataset / "shards" / "aaaaaaaaaaaa.h5").read("audio/deepspeech", 0)
    assert item["audio/deepspeech"].shape == (7, 29)
    assert not item["audio/deepspeech"][:2].any()  # beyond the clip's start
    np.testing.assert_array_equal(item["audio/deepspeech"][2:], speech[:5])
    assert item["face/valid"].shape == (4,)


def test_it_pickles_to_the_names_of_its_shards(dataset: Path) -> None:
    windows = torch_dataset(dataset, ["face/landmarks"], 4)
    _ = windows[0]
    text = pickle.dumps(windows)
    assert len(text) < 2000  # landmarks of one window alone are 23 kB
    assert torch.equal(pickle.loads(text)[3]["face/landmarks"], windows[3]["face/landmarks"])


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_of_a_loader_read_what_one_process_reads(dataset: Path, start: str) -> None:
    windows = torch_dataset(dataset, ["face/pose"], 4)
    alone = list(DataLoader(windows, batch_size=5))
    assert [len(batch["clip"]) for batch in alone] == [5, 5, 2]
    assert alone[0]["face/valid"].shape == (5, 4)
    shared = list(DataLoader(windows, batch_size=5, num_workers=2, multiprocessing_context=start))
    for batch, expected in zip(shared, alone, strict=True):
        assert sorted(batch) == sorted(expected)
        assert all(torch.equal(batch[name], expected[name]) for name in expected)
