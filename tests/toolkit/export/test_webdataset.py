"""Tar files, read by the package `webdataset`."""

import io
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.datasets import FPS, FakeClip
from toolkit.dataset.shard import ShardReader
from toolkit.export.options import ExportOptions
from toolkit.export.webdataset import export_webdataset
from toolkit.media.video import probe


@pytest.fixture(scope="module")
def folder(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tars") / "out"
    export_webdataset(dataset, out, ExportOptions())
    return out


def test_the_webdataset_package_reads_every_sample(
    dataset: Path, folder: Path, clips: list[FakeClip], tmp_path: Path
) -> None:
    wds = pytest.importorskip("webdataset")
    tar = str(folder / "train-000000.tar")
    samples = {s["__key__"]: s for s in wds.WebDataset(tar, shardshuffle=False).decode()}
    assert set(samples) == {clip.id for clip in clips[:2]}
    shard = ShardReader(dataset / "shards" / "j.h5")
    for index, clip in enumerate(clips[:2]):
        sample = samples[clip.id]
        for name in ("face/au45", "face/landmarks", "audio/deepspeech", "clips/crop"):
            stored = sample[f"{name.rpartition('/')[2]}.npy"]
            np.testing.assert_array_equal(stored, shard.read(name, index))
            assert stored.dtype == shard.read(name, index).dtype
        assert sample["json"]["identity"] == "ann" and sample["json"]["split"] == "train"
        assert sample["json"]["source"] == "ann.mp4"
        with wave.open(io.BytesIO(sample["wav"])) as file:
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        np.testing.assert_array_equal(pcm, shard.read("audio/pcm", index))
        video = tmp_path / f"{clip.id}.mp4"
        video.write_bytes(sample["mp4"])
        info, _ = probe(video)
        assert (info.width, info.height, info.fps) == (64, 64, FPS)
        assert info.duration == pytest.approx(clip.num_frames / FPS, abs=0.05)


def test_each_part_of_the_split_has_files_of_its_own(folder: Path) -> None:
    names = sorted(path.name for path in folder.glob("*.tar"))
    assert names == ["test-000000.tar", "train-000000.tar"]


def test_equal_clips_give_equal_files(folder: Path, dataset: Path, tmp_path: Path) -> None:
    export_webdataset(dataset, tmp_path / "again", ExportOptions(split="test"))
    again = (tmp_path / "again" / "test-000000.tar").read_bytes()
    assert again == (folder / "test-000000.tar").read_bytes()
