"""What `zoo train` shows: one line of a terminal, plain lines elsewhere."""

import contextlib
import fcntl
import os
import re
import struct
import termios
from pathlib import Path

import pytest

from zoo.cli.progress import TrainProgress
from zoo.training.loop import Step

LOSSES = {"loss expression": 2.25134, "loss pose": 0.1, "gradient ratio": 7e-7}


def make_step(number: int, *, epoch: int = 0, num_steps: int = 120_000) -> Step:
    return Step(epoch, number, num_steps, LOSSES, {}, 1234.56)


def test_a_terminal_of_80_columns_has_one_line_with_one_loss(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Even where there are millions of steps and the unit is long."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(slave, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr("sys.stderr", terminal)
        with TrainProgress(10, "s of sound") as progress:
            for number in (99_998, 99_999):
                progress.advance(make_step(number))
    shown = b""
    with contextlib.suppress(OSError):  # once all is read: the other end is closed
        while part := os.read(master, 1 << 16):
            shown += part
    os.close(master)
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode()))
    lines = [line for line in lines if line.strip()]
    assert max(map(len, lines)) <= 80
    assert re.fullmatch(
        r"train +\S+ +99999/1200000 steps, 1234\.6 s of sound/s, [\d:]+ left, loss 2\.25 *",
        lines[-1],
    )


def test_a_log_has_the_same_in_plain_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("toolkit.cli.bar.LINE_EVERY", 0.0)
    with TrainProgress(2, "windows") as progress:
        progress.advance(make_step(3, num_steps=4))
        progress.advance(Step(0, 4, 4, {}, {"score": 0.25}, 9.0))
        progress.advance(make_step(1, epoch=1, num_steps=4))
    first, epoch, second = capsys.readouterr().err.splitlines()
    assert first == "3/8 steps, 1234.6 windows/s, time left unknown, loss 2.25"
    assert epoch == "epoch 1/2: score 0.25"
    assert re.fullmatch(r"5/8 steps, 1234\.6 windows/s, [\d:]+ left, loss 2\.25", second)


@pytest.mark.parametrize(("rate", "shown"), [(0.0431, "0.043"), (0.96, "0.96"), (1.0, "1.0")])
def test_a_slow_rate_is_not_rounded_to_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, rate: float, shown: str
) -> None:
    monkeypatch.setattr("toolkit.cli.bar.LINE_EVERY", 0.0)
    with TrainProgress(1, "frames") as progress:
        progress.advance(Step(0, 1, 9, LOSSES, {}, rate))
    assert f"1/9 steps, {shown} frames/s, " in capsys.readouterr().err
