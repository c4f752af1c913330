"""Clips of a dataset on a store are those of the same dataset on this disk."""

from pathlib import Path

import numpy as np
import pytest

from tests.datasets import FakeClip, write_dataset
from tests.stores import open_memory, put_folder
from toolkit.errors import ManifestError, StorageError
from zoo.data.source import find_dataset, select_clips


def test_clips_of_an_address_are_those_of_the_folder(tmp_path: Path) -> None:
    clips = [FakeClip(source=f"{name}.mp4", num_frames=40) for name in ("a", "b")]
    local = write_dataset(tmp_path / "local", {"j0": clips[:1], "j1": clips[1:]})
    with open_memory(tmp_path / "cache") as memory:
        put_folder(memory, local, "/bucket/set")
        expected = select_clips(local)
        for address in ("memory://bucket/set/shards", "memory://bucket/set"):
            found = select_clips(Path(address))
            assert [part.clip for part in found] == [part.clip for part in expected]
            for part, other in zip(found, expected, strict=True):
                assert np.array_equal(part.read("face/au45"), other.read("face/au45"))
        with pytest.raises(ManifestError, match="no dataset here"):
            find_dataset(Path("memory://bucket/none"))


def test_a_shard_that_is_not_what_the_manifest_says_is_refused(tmp_path: Path) -> None:
    local = write_dataset(tmp_path / "local", {"j0": [FakeClip(num_frames=40)]})
    with open_memory(tmp_path / "cache") as memory:
        put_folder(memory, local, "/bucket/set")
        content = bytearray((local / "shards" / "j0.h5").read_bytes())
        content[len(content) // 2] ^= 1
        memory.pipe_file("/bucket/set/shards/j0.h5", bytes(content))
        with pytest.raises(StorageError, match="its digest is not the manifest's"):
            select_clips(Path("memory://bucket/set"))
