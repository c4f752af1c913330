"""Training over two nodes, here two torchruns that meet on loopback."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from torch.nn import functional

from tests import ROOT
from tests.zoo.models.at_net.hearing import write_people
from tests.zoo.models.blink_gan.blinking import write_blinking
from zoo.models.at_net.options import AtNetRecipe
from zoo.models.at_net.recipe import train_at_net
from zoo.training.checkpoint import load_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.loop import Setting

SETTINGS = {"preset": "small", "batch_size": 4, "learning_rate": 1e-5, "seed": 3}

AT_NET = ["at-net"]
for _name, _value in SETTINGS.items():
    AT_NET += [f"--{_name.replace('_', '-')}", str(_value)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people"), people=4, clips=2, num_frames=100)


class TwoNodes:
    """Two torchruns, each the leader of a session of its own."""

    def __init__(self, *words: object) -> None:
        """`words` of `zoo train`."""
        self._kept = socket.socket()  # bound: the system gives the port to no other program
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind(("127.0.0.1", 0))
        port = self._kept.getsockname()[1]
        common = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2"]
        common += ["--nproc-per-node", "1", "--rdzv-endpoint", f"127.0.0.1:{port}"]
        train = ["-m", "zoo", "train", *map(str, words), "--device", "cpu"]
        self.processes = [
            subprocess.Popen(
                [*common, "--node-rank", str(rank), *train],
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            for rank in range(2)
        ]

    def signal_second(self, number: int) -> None:
        """To the second node's torchrun and its training."""
        second = psutil.Process(self.processes[1].pid)
        for process in (second, *second.children(recursive=True)):
            process.send_signal(number)

    def wait(self) -> list[tuple[int, str, str]]:
        """Exit status, stdout and stderr of each."""
        answers = [process.communicate(timeout=1200) for process in self.processes]
        return [(p.returncode, *texts) for p, texts in zip(self.processes, answers, strict=True)]

    def kill(self) -> None:
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()
            process.wait()


def find_way(out: Path, recipe: AtNetRecipe, part: str) -> torch.Tensor:
    """By how much a part of the network moved in training, (P,) for its P parameters."""
    setting = Setting(out=out, resume=False, distributed=Distributed())
    begin = train_at_net.__wrapped__(recipe, setting).state_dict()["network"]  # type: ignore[attr-defined]
    end = load_checkpoint(out / "last.pt")["model"]["network"]
    names = [name for name in begin if name.startswith(part) and "running" not in name]
    moved = [
        (end[name] - begin[name]).flatten() for name in names if begin[name].is_floating_point()
    ]
    return torch.cat(moved)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_nodes_train_as_one_process_does(dataset: Path, tmp_path: Path) -> None:
    """The layers of the face see each frame by itself, those of sound normalise over the batch."""
    nodes = TwoNodes(
        *AT_NET, "--shards", dataset / "shards", "--out", tmp_path / "two", "--epochs", 1
    )
    (status, said, errors), (other, silent, _) = nodes.wait()
    assert (status, other) == (0, 0), errors
    assert (said + silent).count("best:") == 1  # one process of all talks
    recipe = AtNetRecipe(shards=dataset / "shards", epochs=1, **SETTINGS)  # type: ignore[arg-type]
    train_at_net(recipe, tmp_path / "one")
    scores = [
        load_checkpoint(tmp_path / name / "last.pt")["best"]["score"] for name in ("two", "one")
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)
    for part, least in (("landmarks", 0.999), ("", 0.85)):  # all: behind batch normalisation
        ways = [find_way(tmp_path / name, recipe, part) for name in ("two", "one")]
        assert functional.cosine_similarity(*ways, dim=0) > least
        assert ways[0].norm().item() == pytest.approx(ways[1].norm().item(), rel=0.05)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_loss_of_a_node_ends_the_other_within_a_minute_and_resume_goes_on(
    how: signal.Signals, dataset: Path, tmp_path: Path
) -> None:
    """Killed, its connections close; frozen, as without power or network, it says nothing."""
    out = tmp_path / "run"
    words = (*AT_NET, "--shards", dataset / "shards", "--out", out)
    nodes = TwoNodes(*words, "--epochs", 5000)
    try:
        while not (out / "last.pt").exists() and nodes.processes[0].poll() is None:
            time.sleep(0.1)
        nodes.signal_second(how)
        lost = time.monotonic()
        _, errors = nodes.processes[0].communicate(timeout=300)
        assert time.monotonic() - lost < 60
    finally:
        nodes.kill()
    assert nodes.processes[0].returncode != 0
    lines = [line for line in errors.splitlines() if line.startswith("zoo: error: ")]
    assert len(lines) == 1
    assert "is gone" in lines[0]
    assert "--resume auto" in lines[0]
    reached = load_checkpoint(out / "last.pt")["epoch"]
    again = TwoNodes(*words, "--epochs", reached + 1, "--resume", "auto").wait()
    assert [status for status, _, _ in again] == [0, 0], again[0][2]
    assert load_checkpoint(out / "last.pt")["epoch"] == reached + 1


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_nodes_that_lost_one_end_as_undisturbed_ones_do(tmp_path: Path) -> None:
    """The second is killed behind the first checkpoint; the same commands go on, to the bit."""
    words = ("blink-gan", "--shards", write_blinking(tmp_path / "blinking"), "--preset", "small")
    words += ("--batch-size", 32, "--holdout", 0.5, "--epochs", 3, "--resume", "auto", "--out")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    ended = TwoNodes(*words, whole).wait()
    assert [status for status, _, _ in ended] == [0, 0], ended[0][2]
    nodes = TwoNodes(*words, cut)
    try:
        while not (cut / "last.pt").exists() and nodes.processes[0].poll() is None:
            time.sleep(0.1)
        nodes.signal_second(signal.SIGKILL)
        lost = time.monotonic()
        _, errors = nodes.processes[0].communicate(timeout=300)
        seconds = time.monotonic() - lost
    finally:
        nodes.kill()
    assert nodes.processes[0].returncode != 0
    assert seconds < 60
    assert len([line for line in errors.splitlines() if line.startswith("zoo: error: ")]) == 1
    assert load_checkpoint(cut / "last.pt")["epoch"] < 3
    again = TwoNodes(*words, cut).wait()
    assert [status for status, _, _ in again] == [0, 0], again[0][2]
    ends = [load_checkpoint(out / "last.pt") for out in (whole, cut)]
    assert [end["epoch"] for end in ends] == [3, 3]
    assert ends[0]["best"] == ends[1]["best"]
    for name, value in ends[0]["state"]["network"].items():
        assert torch.equal(value, ends[1]["state"]["network"][name]), name
