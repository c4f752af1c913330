"""Addresses of object stores, as they come from a command line or a script."""

import os
import re
from pathlib import Path, PurePosixPath

SCHEMES = ("s3", "gs", "memory")
"""What is read and written as a store."""

FOLDER, LIMIT = "TTK_CACHE", "TTK_CACHE_GB"
"""Environment variables: where the cache lies, and GB of content that it may hold."""

_ADDRESS = re.compile(rf"({'|'.join(SCHEMES)}):/+(.*)", re.DOTALL)
_FILE = re.compile(r"file:/+(.*)", re.DOTALL)


def find_address(path: Path | str) -> str | None:
    """`scheme://bucket/key` where a path is one, without a slash at its end; None for a folder.

    A `Path` has lost one of the two slashes: it counts as well.

    Raises:
        ValueError: no bucket is named, or a part of it is empty, `.` or `..`.
    """
    match = _ADDRESS.fullmatch(os.fspath(path))
    if match is None:
        return None
    scheme, rest = match[1], match[2].rstrip("/")
    if not all(part not in ("", ".", "..") for part in rest.split("/")):
        raise ValueError(f"{scheme}://{rest}: write {scheme}://BUCKET/FOLDER")
    return f"{scheme}://{rest}"


def as_folder(path: Path | str) -> Path:
    """A local path, of which `file://` may be a part."""
    match = _FILE.fullmatch(os.fspath(path))
    return Path(path) if match is None else Path("/", match[1])


def join(address: str, *names: str) -> str:
    """The address of what lies below another."""
    return "/".join((address, *names))


def split_folder(address: str) -> tuple[str, str]:
    """The address of the folder that something lies in, and its name there."""
    folder, _, name = address.rpartition("/")
    return folder, name


def is_safe(key: str) -> bool:
    """Whether a key can be a file below a folder: parts with names, none hidden or leading out."""
    parts = key.split("/")
    return (
        "\0" not in key
        and all(
            part and not part.startswith(".") and len(os.fsencode(part)) < 256 for part in parts
        )
        and not PurePosixPath(key).is_absolute()
    )
