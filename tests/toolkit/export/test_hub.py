"""The folder for the hub: read by `datasets` without a network, and by `mlcroissant`."""

import io
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.datasets import WHEN, FakeClip
from toolkit.dataset.shard import ShardReader
from toolkit.export.hub import export_hub
from toolkit.export.options import HubOptions
from toolkit.media.video import probe


@pytest.fixture(scope="module")
def folder(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hub") / "heads"
    export_hub(dataset, out, HubOptions(license="cc-by-4.0", consent="All signed a form."))
    return out


@pytest.fixture(scope="module")
def loaded(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """What `datasets.load_dataset` makes of the folder, offline."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("home")))
        datasets = pytest.importorskip("datasets")
        yield datasets.load_dataset(str(folder), cache_dir=str(tmp_path_factory.mktemp("cache")))


def test_datasets_loads_every_split_with_all_arrays(
    loaded: Any, dataset: Path, clips: list[FakeClip]
) -> None:
    assert {part: len(rows) for part, rows in loaded.items()} == {"test": 1, "train": 2}
    shard = ShardReader(dataset / "shards" / "j.h5")
    names = [name for name in shard.names if name.startswith(("face/", "audio/deep"))]
    columns = loaded["train"].select_columns([name.rpartition("/")[2] for name in names])
    rows = columns.with_format("numpy")
    ids = loaded["train"].select_columns(["clip_id"])[:]["clip_id"]
    for row, clip_id in zip(rows, ids, strict=True):
        index = [clip.id for clip in clips].index(clip_id)
        for name in names:
            stored = row[name.rpartition("/")[2]]
            np.testing.assert_array_equal(stored, shard.read(name, index))


def test_columns_have_the_manifests_values(loaded: Any, clips: list[FakeClip]) -> None:
    (row,) = loaded["test"].select_columns(
        ["clip_id", "identity", "source", "num_frames", "duration", "ingested_at", "split"]
    )
    assert row == {
        "clip_id": clips[2].id,
        "identity": "bob",
        "source": "b.o.b.mp4",
        "num_frames": 15,
        "duration": 0.5,
        "ingested_at": WHEN,
        "split": "test",
    }


def test_sound_and_video_are_features_that_hold_whole_files(
    loaded: Any, dataset: Path, tmp_path: Path
) -> None:
    import datasets

    rows = loaded["test"]
    assert isinstance(rows.features["audio"], datasets.Audio)
    assert isinstance(rows.features["video"], datasets.Video)
    assert rows.features["audio"].sampling_rate == 16000
    assert str(rows.features["pose"]) == "List(List(Value('float32'), length=6))"
    rows = rows.cast_column("audio", datasets.Audio(decode=False))
    rows = rows.cast_column("video", datasets.Video(decode=False))
    with wave.open(io.BytesIO(rows[0]["audio"]["bytes"])) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    np.testing.assert_array_equal(pcm, ShardReader(dataset / "shards/k.h5").read("audio/pcm", 0))
    video = tmp_path / rows[0]["video"]["path"]
    video.write_bytes(rows[0]["video"]["bytes"])
    info, _ = probe(video)
    assert info.duration == pytest.approx(0.5, abs=0.05)


def test_mlcroissant_finds_nothing_wrong_and_reads_the_records(
    folder: Path, dataset: Path, clips: list[FakeClip]
) -> None:
    mlc = pytest.importorskip("mlcroissant")
    described = mlc.Dataset(jsonld=str(folder / "croissant.json"))
    assert described.metadata.issues.errors == set()
    assert not [text for text in described.metadata.issues.warnings if "recommended" in str(text)]
    assert described.metadata.version == "1.0.0"
    assert described.metadata.cite_as == "heads, version 1.0.0"
    columns = set(pq.read_schema(next((folder / "data").iterdir())).names)
    (records,) = described.metadata.record_sets
    assert {field.name for field in records.fields} == columns
    by_id = {record["clips/clip_id"]: record for record in described.records("clips")}
    assert set(by_id) == {clip.id.encode() for clip in clips}
    shard = ShardReader(dataset / "shards" / "k.h5")
    record = by_id[clips[2].id.encode()]
    np.testing.assert_array_equal(record["clips/pose"], shard.read("face/pose", 0))
    assert record["clips/audio"][:4] == b"RIFF"


def test_the_card_states_counts_licence_consent_and_what_made_the_columns(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    assert card.startswith('---\npretty_name: "heads"\nlicense: "cc-by-4.0"\n')
    assert "| train | 2 | 0.0 | 32 | 1 | 1 |" in card
    assert "| all | 3 | 0.0 | 47 | 2 | 2 |" in card
    assert "agreed to:** All signed a form." in card
    assert "| au45 | embedded | 1 |" in card
    assert "| `pose` | float32 | (n, 6) | rad, mm |" in card


@pytest.mark.parametrize("version", ["1", "1.0", "v1.0.0", "01.0.0", "1.0.0\n", ""])
def test_a_version_that_is_no_semantic_one_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match=r"MAJOR\.MINOR\.PATCH"):
        HubOptions(dataset_version=version)


def test_a_card_without_statements_says_so(dataset: Path, tmp_path: Path) -> None:
    export_hub(dataset, tmp_path / "hub", HubOptions(split="test"))
    card = (tmp_path / "hub" / "README.md").read_text()
    assert 'license: "unknown"' in card and "Footage: not stated" in card
    assert "Nothing was stated when this folder was made." in card


def test_every_clip_is_a_row_group_so_that_one_is_in_memory_at_a_time(folder: Path) -> None:
    file = pq.ParquetFile(folder / "data" / "train-00000-of-00001.parquet")
    assert (file.num_row_groups, file.metadata.num_rows) == (2, 2)
