r"""Paths that a dataset holds, and the door that none of its own may lead through to outside.

Those of sources stand from the dataset's folder, always UTF-8, and may lie anywhere.
"""

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from toolkit.errors import ManifestError
from toolkit.schema import Source

_ID = r"[A-Za-z0-9_][A-Za-z0-9_-]*"
"""Of a job: `ttk ingest` gives twelve hex digits, other writers what they like; it names files."""


def encode_path(path: Path, dataset: Path) -> str:
    """A source's path as the manifest writes it: from the dataset's folder, always UTF-8."""
    return encode_name(os.path.relpath(path, dataset.resolve()))


def encode_name(text: str) -> str:
    r"""UTF-8 whatever the bytes: those that are not stand as `\xNN`, a backslash as two."""
    return os.fsencode(text.replace("\\", "\\\\")).decode("utf-8", "backslashreplace")


def decode_path(text: str) -> str:
    """From the manifest's words to the path from the dataset's folder: inverse of `encode_path`."""

    def restore(match: re.Match[str]) -> str:
        return "\\" if match[1] is None else os.fsdecode(bytes.fromhex(match[1]))

    return re.sub(r"\\(?:\\|x([0-9a-f]{2}))", restore, text)


def source_path(source: Source, dataset: Path) -> Path:
    """Where a source lies: the inverse of `encode_path`."""
    return dataset / decode_path(source.path)


def check_id(text: object, where: Path) -> str:
    """A job's id, as it stands in a file; ManifestError where it could name files elsewhere."""
    if not isinstance(text, str) or not re.fullmatch(_ID, text):
        raise ManifestError(f"{where}: {text!r} is no job's id: delete what holds it")
    return text


def check_inside(path: Path, dataset: Path) -> Path:
    """A file or folder of a dataset, or of another folder that holds all its own; it need not be.

    Raises:
        ManifestError: a link leads out of the folder, or it is a pipe or a device.
    """
    try:
        real = path.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise ManifestError(f"{path}: a link that leads nowhere: delete it") from error
    if not real.is_relative_to(dataset.resolve()):
        raise ManifestError(f"{path}: lies outside of {dataset}: a dataset holds its files itself")
    if real.exists() and not (real.is_file() or real.is_dir()):
        raise ManifestError(f"{path}: neither a file nor a folder: delete it")
    return path


def check_name(text: str, where: Path) -> str:
    """Text of a dataset that is to be part of a path, as a person's name; ManifestError for one."""
    if text in ("", ".", "..") or any(sign in text for sign in ("/", "\\", "\0")):
        raise ManifestError(f"{where}: {text!r} cannot be part of a file's name: rename it")
    return text


def list_files(folder: Path, ending: str, dataset: Path) -> list[Path]:
    """Files named ID and an ending, sorted, hidden ones left out; none without the folder.

    Raises:
        ManifestError: for one that `check_id` or `check_inside` refuses, or the folder.
    """
    check_inside(folder, dataset)
    try:
        with os.scandir(folder) as entries:
            is_plain = {e.name: e.is_file(follow_symlinks=False) for e in entries}
    except (FileNotFoundError, NotADirectoryError):
        return []
    names = [name for name in sorted(is_plain) if name.endswith(ending) and name[0] != "."]
    paths = [folder / name for name in names]
    for path in paths:
        check_id(path.name.removesuffix(ending), path)
        if not is_plain[path.name]:  # a link, for one
            check_inside(path, dataset)
    return paths


def _check_files(folder: Path, names: Iterable[str], dataset: Path) -> None:
    """`check_inside` for files of a folder: of thousands, it looks at links and odd ones alone."""
    chosen = set(names)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        chosen &= {each.name for each in entries if not each.is_file(follow_symlinks=False)}
    for name in sorted(chosen):
        check_inside(folder / name, dataset)


def check_shards(texts: Iterable[object], dataset: Path, where: Path) -> None:
    """`check_shard` for many."""
    names = [_check_shard_name(text, where).removeprefix("shards/") for text in texts]
    _check_files(check_inside(dataset / "shards", dataset), names, dataset)


def check_shard(text: object, dataset: Path, where: Path) -> Path:
    """The shard at a path that stands in a file, `where`; ManifestError if that leads elsewhere."""
    return check_inside(dataset / _check_shard_name(text, where), dataset)


def _check_shard_name(text: object, where: Path) -> str:
    if not isinstance(text, str) or not re.fullmatch(rf"shards/{_ID}\.h5", text):
        raise ManifestError(f"{where}: {text!r} is no shard of this dataset: shards/ID.h5")
    return text
