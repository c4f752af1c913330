"""Files of a store on this disk: fetched when opened, dropped when there is no room."""

import hashlib
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import StorageError
from toolkit.store.cache import (
    Cache,
    acquire,
    find_cache,
    hold,
    make_cache,
    name_addresses,
    open_cache,
)
from toolkit.store.mirror import READ, mirror_videos
from toolkit.store.remote import Entry, Remote


def _fill(cache: Cache, names: str, size: int = 10) -> dict[str, Path]:
    """Objects of so many bytes, each of its name's letter, in the cache as holes."""
    for name in names:
        Remote("memory://bucket/videos").write(name, name.encode() * size)
    with cache.lock():
        folder = mirror_videos(cache, READ, "memory://bucket/videos")
    return {name: folder / name for name in names}


def _count_content(cache: Cache) -> int:
    return sum(size for _, size, _ in cache._list_content())


def test_a_file_is_a_hole_of_its_size_until_it_is_held(tmp_path: Path) -> None:
    cache = make_cache(tmp_path / "cache", 100)
    path = _fill(cache, "a")["a"]
    state = path.stat()
    assert (state.st_size, _count_content(cache)) == (10, 0)
    with hold(path):
        assert path.read_bytes() == b"a" * 10
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (state.st_size, state.st_mtime_ns)
    assert _count_content(cache) == 10


def test_what_is_longest_unused_is_dropped_where_there_is_no_room(tmp_path: Path) -> None:
    cache = make_cache(tmp_path / "cache", 25)
    paths = _fill(cache, "abc")
    for name in "abac":
        with hold(paths[name]):
            assert paths[name].read_bytes() == name.encode() * 10
    assert {path.name for *_, path in cache._list_content()} == {"a", "c"}


def test_what_is_in_use_is_not_dropped(tmp_path: Path) -> None:
    cache = make_cache(tmp_path / "cache", 25)
    paths = _fill(cache, "abc")
    with hold(paths["a"]):
        for name in "bc":
            with hold(paths[name]):
                pass
        assert {path.name for *_, path in cache._list_content()} == {"a", "c"}
        with hold(paths["c"]), pytest.raises(StorageError, match=r"b: .* do not fit .*--cache-gb"):
            acquire(paths["b"])


def test_a_file_larger_than_the_cache_is_refused(tmp_path: Path) -> None:
    path = _fill(make_cache(tmp_path / "cache", 9), "a")["a"]
    with pytest.raises(StorageError, match="do not fit"):
        acquire(path)


def test_content_of_another_digest_is_refused(tmp_path: Path) -> None:
    cache = make_cache(tmp_path / "cache", 100)
    path = _fill(cache, "a")["a"]
    with pytest.raises(StorageError, match="its digest is not the manifest's"):
        acquire(path, "0" * 64)
    assert _count_content(cache) == 0
    with hold(path, hashlib.sha256(b"a" * 10).hexdigest()):
        assert path.read_bytes() == b"a" * 10


def test_an_object_that_changed_since_it_was_listed_is_refused(tmp_path: Path) -> None:
    path = _fill(make_cache(tmp_path / "cache", 100), "a")["a"]
    Remote("memory://bucket/videos").write("a", b"longer than before")
    with pytest.raises(StorageError, match="it has changed on the store"):
        acquire(path)


def test_other_content_replaces_what_is_here(tmp_path: Path) -> None:
    cache = make_cache(tmp_path / "cache", 100)
    path = _fill(cache, "a")["a"]
    with hold(path):
        pass
    Remote("memory://bucket/videos").write("a", b"b" * 10)  # as long
    with cache.lock():
        mirror_videos(cache, READ, "memory://bucket/videos")
    with hold(path):
        assert path.read_bytes() == b"b" * 10


def test_a_local_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("local")
    path.chmod(0o1600)  # sticky by chance
    assert acquire(path) is None
    assert acquire(tmp_path / "none") is None
    assert find_cache(path) is None


def _read_all(paths: list[Path], rounds: int) -> None:
    for number in range(rounds):
        path = paths[(os.getpid() + number) % len(paths)]
        with hold(path):
            if path.read_bytes() != path.name.encode() * 10:
                os._exit(1)
    os._exit(0)


def test_several_processes_read_what_they_hold_while_others_drop_it(tmp_path: Path) -> None:
    cache = make_cache(tmp_path / "cache", 45)  # four processes hold one file of 10 bytes each
    paths = list(_fill(cache, "abcdefgh").values())
    context = multiprocessing.get_context("fork")  # each has the store in memory
    processes = [context.Process(target=_read_all, args=(paths, 60)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert _count_content(cache) <= 45
    assert not [p for p in cache.root.iterdir() if p.name.endswith(".tmp")]


@given(st.lists(st.sampled_from("abcde"), max_size=12), st.integers(10, 60))
def test_the_cache_never_holds_more_than_it_may(names: list[str], limit: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        cache = make_cache(Path(folder) / "cache", limit)
        paths = _fill(cache, "abcde")
        for name in names:
            with hold(paths[name]):
                assert paths[name].read_bytes() == name.encode() * 10
            assert _count_content(cache) <= limit


def test_a_kill_in_a_download_leaves_nothing_that_counts(tmp_path: Path) -> None:
    cache = make_cache(tmp_path / "cache", 100)
    path = _fill(cache, "a")["a"]
    (cache.root / ".download.tmp").write_bytes(b"half")
    with hold(path):
        assert path.read_bytes() == b"a" * 10
    assert not (cache.root / ".download.tmp").exists()


@pytest.mark.parametrize("text", ["0", "-1", "nan", "much"])
def test_a_limit_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTK_CACHE_GB", text)
    with pytest.raises(ValueError, match="give GB, more than 0"):
        open_cache()


def test_messages_name_addresses_in_place_of_the_cache(tmp_path: Path) -> None:
    cache = make_cache(tmp_path / "cache", 100)
    path = _fill(cache, "a")["a"]
    assert name_addresses(f"{path}: gone") == "memory://bucket/videos/a: gone"
    assert cache.name(path) == "memory://bucket/videos/a"
    assert cache.name(cache.root / READ) is None


def test_a_file_and_a_folder_of_one_name_are_refused(tmp_path: Path, memory: Any) -> None:
    cache = make_cache(tmp_path / "cache", 100)
    memory.store.clear()
    _fill(cache, "a")
    folder = cache.locate(READ, "memory://bucket/videos")
    with cache.lock(), pytest.raises(StorageError, match="have one name"):
        from toolkit.store.mirror import _place

        _place(cache, folder, {"a": Entry(1, 1), "a/b": Entry(1, 1)})
