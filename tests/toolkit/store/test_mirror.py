"""A dataset on a store as a folder: read, written to, read for training."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tests.datasets import FakeClip, write_dataset
from tests.stores import put_folder
from toolkit.cli import main
from toolkit.dataset.excluded import exclude_clips, read_excluded
from toolkit.dataset.manifest import has_split, read_table
from toolkit.dataset.options import SplitOptions
from toolkit.dataset.shard import ShardReader
from toolkit.dataset.split import split_dataset
from toolkit.dataset.validate import validate_dataset
from toolkit.errors import BusyError, ManifestError, ShardError, StorageError
from toolkit.store.cache import open_cache
from toolkit.store.mirror import open_dataset

ADDRESS = "memory://bucket/set"
JOBS = {
    f"j{number}": [FakeClip(identity=name, source=f"{name}.mp4", num_frames=40)]
    for number, name in enumerate(("ann", "bob", "eve"))
}


@pytest.fixture
def local(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "local", JOBS)


@pytest.fixture
def stored(local: Path, memory: Any) -> str:
    """The same dataset on the store."""
    put_folder(memory, local, "/bucket/set")
    return ADDRESS


def _list(memory: Any) -> list[str]:
    return sorted(name.removeprefix("/bucket/set/") for name in memory.find("/bucket/set"))


def test_tables_are_equal_and_shards_are_fetched_when_they_are_opened(
    local: Path, stored: str
) -> None:
    with open_dataset(stored) as folder:
        assert read_table(folder, "clips").equals(read_table(local, "clips"))
        cache = open_cache()
        assert not list(cache._list_content())
        reader = ShardReader(folder / "shards" / "j1.h5")
        assert (
            reader.read("face/au45", 0)
            == ShardReader(local / "shards" / "j1.h5").read("face/au45", 0)
        ).all()
        assert [path.name for *_, path in cache._list_content()] == ["j1.h5"]
        assert validate_dataset(folder, deep=True) == []


def test_a_shard_stays_while_its_reader_lives(stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_dataset(stored) as folder:
        path = folder / "shards" / "j0.h5"
        monkeypatch.setenv("TTK_CACHE_GB", str(1.5 * path.stat().st_size / 1e9))
        open_cache()
        reader = ShardReader(path)
        with pytest.raises(StorageError, match="are in use"):
            ShardReader(folder / "shards" / "j1.h5")
        del reader
        ShardReader(folder / "shards" / "j1.h5")


def test_a_split_is_uploaded_and_nothing_else_is_touched(stored: str, memory: Any) -> None:
    before = dict(memory.store)
    with open_dataset(stored, writes=True) as folder:
        split_dataset(folder, SplitOptions(by="clip"))
    assert [name for name in memory.store if name not in before] == [
        "/bucket/set/manifests/split.parquet"
    ]
    assert all(memory.store[name] is content for name, content in before.items())
    with open_dataset(stored) as folder:
        assert has_split(folder)
        assert len(read_table(folder, "split")) == 3


def test_a_command_that_fails_uploads_nothing(stored: str, memory: Any) -> None:
    before = _list(memory)
    with pytest.raises(RuntimeError), open_dataset(stored, writes=True) as folder:
        split_dataset(folder, SplitOptions(by="clip"))
        raise RuntimeError
    assert _list(memory) == before
    with open_dataset(stored, writes=True) as folder:
        assert not has_split(folder)


def test_what_is_taken_back_is_deleted_on_the_store(stored: str, memory: Any) -> None:
    with open_dataset(stored, writes=True) as folder:
        clip = str(read_table(folder, "clips")["clip_id"].iloc[0])
        exclude_clips(folder, [clip], "")
    with open_dataset(stored) as folder:
        assert len(read_excluded(folder)) == 1
    with open_dataset(stored, writes=True) as folder:
        (folder / "manifests" / "excluded.csv").unlink()
    assert "manifests/excluded.csv" not in _list(memory)


def test_two_that_write_exclude_each_other(stored: str) -> None:
    second = open_dataset(stored, writes=True)
    with open_dataset(stored, writes=True), pytest.raises(BusyError, match="is at work on memory"):
        second.__enter__()


def test_what_the_store_has_no_more_is_gone_here_too(stored: str, memory: Any) -> None:
    with open_dataset(stored) as folder:
        ShardReader(folder / "shards" / "j0.h5")
    for name in (
        "shards/j0.h5",
        *(f"manifests/{t}/j0.parquet" for t in ("clips", "sources", "rejected")),
    ):
        memory.rm_file(f"/bucket/set/{name}")
    with open_dataset(stored) as folder:
        assert len(read_table(folder, "clips")) == 2
        with pytest.raises(ShardError, match="missing"):
            ShardReader(folder / "shards" / "j0.h5")


def test_an_address_without_a_dataset_says_so(memory: Any) -> None:
    with (
        open_dataset("memory://bucket/none") as folder,
        pytest.raises(ManifestError, match="no dataset"),
    ):
        read_table(folder, "clips")


def test_keys_that_lead_elsewhere_or_are_hidden_are_not_read(stored: str, memory: Any) -> None:
    memory.store["/bucket/set/manifests/../../evil.parquet"] = memory.store[
        "/bucket/set/manifests/clips/j0.parquet"
    ]
    memory.pipe_file("/bucket/set/manifests/clips/.j9.parquet.tmp", b"half")
    memory.pipe_file("/bucket/set/.tmp/x/0", b"half")
    with open_dataset(stored) as folder:
        assert len(read_table(folder, "clips")) == 3
        assert not (folder.parent / "evil.parquet").exists()


# --- commands -----------------------------------------------------------------------------------


def _run(*words: str) -> click.testing.Result:
    return CliRunner().invoke(main, list(words), catch_exceptions=False)


def test_commands_take_an_address(stored: str, tmp_path: Path) -> None:
    assert _run("split", "--by", "clip", "--data", stored).exit_code == 0
    result = _run("validate", "--data", stored)
    assert result.exit_code == 0, result.output
    assert f"{stored}: 3 clips" in result.output
    assert f"--data {stored}" in result.stderr
    result = _run("report", "--no-pictures", "--data", stored, "--out", str(tmp_path / "r.html"))
    assert result.exit_code == 0, result.output
    result = _run("export", "openface", "--data", stored, "--out", str(tmp_path / "csv"))
    assert len(list((tmp_path / "csv").rglob("*.csv"))) == 3, result.output


def test_what_writes_files_of_this_machine_refuses_an_address(
    stored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = _run("export", "openface", "--data", stored, "--out", "s3://bucket/csv")
    assert result.exit_code == 2
    assert "--out s3://bucket/csv: takes files of this machine alone" in result.stderr
    assert not list(tmp_path.glob("s3*"))


def test_a_damaged_table_is_named_by_its_address(stored: str, memory: Any) -> None:
    memory.pipe_file("/bucket/set/manifests/clips/j1.parquet", b"rubbish")
    result = _run("stats", "--data", stored)
    assert result.exit_code == 1
    assert f"ttk: error: {stored}/manifests/clips/j1.parquet: damaged" in result.stderr
