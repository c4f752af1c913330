"""The store's doorway: lists, whole writes, claims."""

import errno
import time
from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import SetupError, StorageError
from toolkit.store.remote import Remote


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_an_upload_leaves_the_files_under_their_names_and_nothing_else(
    tmp_path: Path, memory: Any
) -> None:
    remote = Remote("memory://bucket/set")
    remote.upload({"a/1": _write(tmp_path / "one", "1"), "b": _write(tmp_path / "two", "22")})
    assert {key: entry.size for key, entry in remote.list().items()} == {"a/1": 1, "b": 2}
    assert dict(remote.read(["a/1", "b"])) == {"a/1": b"1", "b": b"22"}
    assert sorted(memory.find("/bucket")) == ["/bucket/set/a/1", "/bucket/set/b"]


def test_an_upload_that_is_cut_off_changes_no_name(
    tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = Remote("memory://bucket/set", "me")
    remote.upload({"a": _write(tmp_path / "a", "before")})

    def fail(*_: object, **__: object) -> None:
        raise OSError("the line is cut")

    with monkeypatch.context() as patch, pytest.raises(StorageError, match=r"set/a: .* is cut"):
        patch.setattr(type(memory), "cp_file", fail)
        remote.upload({"a": _write(tmp_path / "a", "after")})
    assert dict(remote.read(["a"])) == {"a": b"before"}
    assert len(remote.list(".tmp")) == 1
    Remote("memory://bucket/set", "other").sweep()
    assert len(remote.list(".tmp")) == 1  # it may be at work
    remote.sweep()
    assert remote.list(".tmp") == {}


def test_what_others_left_a_day_ago_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, remote = Remote("memory://bucket/set", "other"), Remote("memory://bucket/set", "me")
    other.stage({".tmp/other/x/0": _write(tmp_path / "a", "left")})
    later = time.time() + 86500
    monkeypatch.setattr(time, "time", lambda: later)
    remote.sweep()
    assert remote.list(".tmp") == {}


def test_a_claim_is_had_once() -> None:
    remote = Remote("memory://bucket/set")
    assert [remote.create("claim", text) for text in (b"first", b"second")] == [True, False]
    assert dict(remote.read(["claim"])) == {"claim": b"first"}


def test_a_store_without_conditions_is_asked_before_a_claim_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As s3fs tells of a server's 501."""
    remote = Remote("memory://bucket/set")
    plain = remote._files.pipe_file

    def refuse(name: str, content: bytes, mode: str = "overwrite") -> None:
        if mode == "create":
            raise OSError(errno.ENOSYS, "A header you provided implies functionality")
        plain(name, content)

    monkeypatch.setattr(remote._files, "pipe_file", refuse)
    assert [remote.create("claim", text) for text in (b"first", b"second")] == [True, False]
    assert dict(remote.read(["claim"])) == {"claim": b"first"}


def test_another_refusal_of_a_claim_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    remote = Remote("memory://bucket/set")

    def refuse(name: str, content: bytes, mode: str = "overwrite") -> None:
        raise PermissionError(errno.EACCES, "Access Denied")

    monkeypatch.setattr(remote._files, "pipe_file", refuse)
    with pytest.raises(StorageError, match=r"claim: the store refuses"):
        remote.create("claim", b"first")
    assert remote.look_at("claim") is None


def test_a_stamp_changes_with_the_content(memory: Any) -> None:
    remote = Remote("memory://bucket")
    remote.write("a", b"one")
    before = remote.look_at("a")
    assert before == remote.list()["a"]
    remote.write("a", b"two")
    assert before != remote.look_at("a")
    assert remote.look_at("b") is None
    assert remote.look_at("") is None  # a folder


def test_a_folder_lists_its_own_files_alone() -> None:
    remote = Remote("memory://bucket/set")
    for key in ("a", "sub/b"):
        remote.write(key, b"x")
    Remote("memory://bucket/settle").write("c", b"x")  # begins as the other does
    assert set(Remote("memory://bucket/set").list_files()) == {"a"}
    assert set(Remote("memory://bucket/set").list()) == {"a", "sub/b"}
    assert Remote("memory://bucket/none").list_files() == {}
    assert Remote("memory://bucket/none").list() == {}


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gcsfs", None)
    with pytest.raises(SetupError, match=r'gs://bucket/x: pip install "ttk\[gs\]"'):
        Remote("gs://bucket/x")
