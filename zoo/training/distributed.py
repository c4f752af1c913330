"""One process, or several under torchrun: who this one is, and how they agree."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from toolkit.errors import ToolkitError
from zoo.training.heartbeat import GONE, Heartbeat


@dataclass(frozen=True)
class Distributed:
    """The processes of a run.

    Attributes:
        rank: number of this one.
        size: how many there are.
        device: where it computes.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    def require_one(self, name: str) -> None:
        """ToolkitError where several processes run what trains in one."""
        if self.size > 1:
            raise ToolkitError(f"{name} trains in one process: start it without torchrun")

    def average_gradients(self, network: nn.Module) -> None:
        """Give every process the mean of all processes' gradients, in one exchange.

        Parameters must have had their backward pass everywhere. Batch norm's statistics stay each
        process's own, as in DistributedDataParallel; the first one's are saved.
        """
        if self.size == 1:
            return
        gradients = [value.grad for value in network.parameters() if value.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        with _meeting():
            dist.all_reduce(flat)
        sizes = [gradient.numel() for gradient in gradients]
        parts = torch.split(flat / self.size, sizes)
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def agree(self, number: int) -> int:
        """The largest of the processes' numbers, the same in all of them."""
        if self.size == 1:
            return number
        shared = torch.tensor(number, device=self.device)
        with _meeting():
            dist.all_reduce(shared, dist.ReduceOp.MAX)
        return int(shared)

    def wait(self) -> None:
        """Go on when every process has come here."""
        if self.size > 1:
            with _meeting():
                dist.barrier()


@contextlib.contextmanager
def _meeting() -> Iterator[None]:
    """An exchange of all processes; ToolkitError where one has failed or was lost."""
    try:
        yield
    except RuntimeError as error:  # gloo's; NCCL's are its subclasses
        raise ToolkitError(GONE) from error


@contextlib.contextmanager
def init_distributed(device: str = "auto") -> Iterator[Distributed]:
    """Join the processes that torchrun started; without it, this one is all there is.

    Args:
        device: `cpu`, `cuda`, `cuda:1` …; `auto` takes a GPU where there is one.

    A process whose node is lost is noticed within a minute, and the others end.

    Raises:
        ToolkitError: the device is not available, or, in any exchange, a process is gone.
    """
    size, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    chosen = find_device(device, local)
    if size == 1:
        yield Distributed(device=chosen)
        return
    with _meeting():
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    rank, place = dist.get_rank(), (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    store = dist.TCPStore(*place, is_master=False, wait_for_workers=False)  # type: ignore[attr-defined]
    try:
        with Heartbeat(store, rank, size):
            yield Distributed(rank, size, chosen)
    finally:
        dist.destroy_process_group()


def find_device(name: str, local: int = 0) -> torch.device:
    """The device of a name such as `cpu` or `cuda:1`; `cuda`: GPU number `local`; `auto`: if any.

    Raises:
        ToolkitError: it is none, or not available here; says what is.
    """
    num_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if num_gpus else "cpu"
    kind, _, number = name.partition(":")
    if kind == "cuda" and not num_gpus:
        raise _refuse(name, _explain_no_gpu())
    if kind == "cuda" and number.isdecimal() and int(number) >= num_gpus:
        raise _refuse(name, f"the GPUs here are cuda:0 to cuda:{num_gpus - 1}")
    try:
        device = torch.device(f"cuda:{local}" if name == "cuda" else name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise _refuse(name, _CHOICES) from error
    if kind not in ("cpu", "cuda", "mps"):
        raise _refuse(name, _CHOICES)
    return device


_CHOICES = "choose auto, cpu, or cuda, cuda:0 … where there are GPUs"


def _refuse(name: str, why: str) -> ToolkitError:
    return ToolkitError(f"--device {name}: cannot be used here: {why}")


def _explain_no_gpu() -> str:
    if torch.version.cuda is None:
        return f"this PyTorch ({torch.__version__}) computes on CPUs alone"
    return "PyTorch sees no NVIDIA GPU: nvidia-smi shows those that there are"
