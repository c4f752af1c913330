"""Memory that is short is told before native code meets it."""

import subprocess
import sys
from pathlib import Path

import pytest

from toolkit import memory


def test_room_that_can_be_had_is_no_error() -> None:
    memory.require_memory()


def test_room_that_cannot_be_had_is_a_memory_error_and_none_of_it_is_used() -> None:
    code = (
        "import resource\n"
        "from toolkit.memory import require_memory\n"
        "used = lambda: int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize()\n"
        "before = used()\n"
        "for _ in range(100): require_memory(1 << 30)\n"
        "assert used() - before < 1 << 24\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "require_memory(1 << 20)\n"
        "require_memory(1 << 30)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.stderr.splitlines()[-1] == "MemoryError: less than 1024 MB are left"


def test_what_the_kernel_killed_is_counted_wherever_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vmstat").write_text("nr_free_pages 7\noom_kill 3\n")
    (tmp_path / "events").write_text("low 0\noom 9\noom_kill 2\noom_group_kill 5\n")
    paths = tmp_path / "vmstat", tmp_path / "events", tmp_path / "missing"
    monkeypatch.setattr(memory, "_KILL_COUNTERS", paths)
    assert memory.count_kills() == 5
