"""Which files in a folder are opened, written, moved or deleted, by Python or by a library in C."""

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_EVENTS = {
    0x001: "read", 0x002: "written", 0x004: "changed", 0x020: "opened", 0x040: "moved",
    0x080: "moved", 0x100: "made", 0x200: "deleted",
}  # fmt: skip
_HEAD = struct.Struct("iIII")


@contextlib.contextmanager
def watch(folder: Path) -> Iterator[list[str]]:
    """A list that holds, after the block, a line per event in the folder and those below it.

    Linux's inotify sees what any code of any process opens; elsewhere the test is skipped.
    """
    if not sys.platform.startswith("linux"):
        pytest.skip("inotify is Linux's")
    library = ctypes.CDLL(None, use_errno=True)
    handle = library.inotify_init1(os.O_NONBLOCK)
    seen = list[str]()
    try:
        names = {}
        for place in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
            number = library.inotify_add_watch(handle, os.fsencode(place), sum(_EVENTS))
            assert number >= 0, os.strerror(ctypes.get_errno())
            names[number] = place
        yield seen
        with contextlib.suppress(BlockingIOError):
            while True:
                seen.extend(_read_events(os.read(handle, 1 << 16), names))
    finally:
        os.close(handle)


def _read_events(data: bytes, names: dict[int, Path]) -> Iterator[str]:
    while data:
        number, mask, _, length = _HEAD.unpack_from(data)
        name = os.fsdecode(data[_HEAD.size : _HEAD.size + length].rstrip(b"\0"))
        place = names.get(number)
        yield f"{place}/{name}: " + ", ".join(w for bit, w in _EVENTS.items() if mask & bit)
        data = data[_HEAD.size + length :]
