r"""Paths of sources as the manifest writes them: from the dataset's folder, always UTF-8."""

import os
import re
from pathlib import Path

from toolkit.schema import Source


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
