"""Raise where memory is short, before native code aborts.

Python and torch raise where memory cannot be had; MediaPipe, OpenCV and the C++ library abort the
process, and the kernel kills it. Neither is a video's fault.
"""

import mmap
from pathlib import Path

ROOM = 512 << 20
"""Bytes of address space that native code may ask for at once: allocators grow by such steps."""

_KILL_COUNTERS = (
    Path("/proc/vmstat"),
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)


def require_memory(room: int = ROOM) -> None:
    """Ask for room without using it, before native code does.

    Takes microseconds. Sees limits on address space (`ulimit -v`, strict overcommit); where memory
    is promised freely, `count_kills` shows it afterwards.

    Args:
        room: bytes.

    Raises:
        MemoryError: so much cannot be had.
    """
    try:
        mmap.mmap(-1, room, flags=mmap.MAP_PRIVATE).close()
    except OSError as error:
        raise MemoryError(f"less than {room >> 20} MB are left") from error


def count_kills() -> int:
    """How many processes of this machine, or container, the kernel killed for want of memory."""
    return sum(map(_read_counter, _KILL_COUNTERS))


def _read_counter(path: Path) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:  # another kernel, another kind of container
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
