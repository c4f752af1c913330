"""One process, or several under torchrun: who this one is, and how they agree."""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from toolkit.errors import ToolkitError
from zoo.training.heartbeat import GONE, Heartbeat


@dataclass(frozen=True)
class Distributed:
    """The processes of a run.

    Attributes:
        rank: number of this one.
        size: how many there are.
        device: where it computes.
        store: what all can ask for counts; has `add(key, number)`, which returns the new sum.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")
    store: Any = None

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    def require_one(self, name: str) -> None:
        """ToolkitError where several processes run what trains in one."""
        if self.size > 1:
            raise ToolkitError(f"{name} trains in one process: start it without torchrun")

    def average_gradients(self, *networks: nn.Module) -> None:
        """Give every process the mean of all processes' gradients, in one exchange.

        Parameters must have had their backward pass everywhere. Batch norm's statistics stay each
        process's own, as in DistributedDataParallel; the first one's are saved.
        """
        parameters = (value for network in networks for value in network.parameters())
        self.average(value.grad for value in parameters if value.grad is not None)

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Put the mean over all processes into each of the tensors, in one exchange."""
        if self.size == 1:
            return
        whole = list(tensors)
        flat = torch.cat([tensor.flatten() for tensor in whole])
        with _meeting():
            dist.all_reduce(flat)
        parts = torch.split(flat / self.size, [tensor.numel() for tensor in whole])
        for tensor, part in zip(whole, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def average_figures(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The mean over all processes, name by name; all have the same names in the same order."""
        if self.size == 1:
            return dict(figures)
        dtype = torch.float32 if self.device.type == "mps" else torch.float64
        means = torch.tensor([*figures.values()], dtype=dtype, device=self.device)
        self.average([means])
        return dict(zip(figures, means.tolist(), strict=True))

    def weigh(self, **counts: float | Tensor) -> dict[str, Tensor]:
        """By what this process's means over so many items are to be multiplied, by their names.

        For losses that are means over what differs in number from process to process, as measured
        frames: the mean of all processes' then is that over all items together. All processes give
        the same names.

        Returns:
            of each, this process's number over the mean of all: scalars, 1 in a process alone.
        """
        if self.size == 1:
            return {name: torch.ones((), device=self.device) for name in counts}
        own = torch.stack([torch.as_tensor(n, device=self.device).float() for n in counts.values()])
        mean = own.clone()
        self.average([mean])
        return dict(zip(counts, own / mean.clamp(min=1 / self.size), strict=True))

    def share(self, whole: Tensor) -> Tensor:
        """This process's part of a (B, …) batch that all have: its items `rank`, `rank` + `size`, …

        Raises:
            ValueError: B is no multiple of the processes.
        """
        if len(whole) % self.size:
            raise ValueError(f"a batch of {len(whole)} for {self.size} processes")
        return whole[self.rank :: self.size]

    def gather(self, part: Tensor) -> Tensor:
        """The (B, …) batch of which each process has its `share`, in order; gradients go through.

        For losses that compare the items of a batch with each other. Every process must compute
        the same loss of what is gathered; behind `average_gradients` all have that loss's gradient.
        """
        if self.size == 1:
            return part
        gathered: Tensor = _Gather.apply(part, self)  # type: ignore[no-untyped-call]
        return gathered

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
    def first_alone(self) -> Iterator[None]:
        """Run the block in the first process, and then in the others: they find its files.

        They wait as long as it takes, while an exchange ends after half an hour. Once in a run.
        """
        if not self.is_first:
            with _meeting():
                while not self.store.add(_PREPARED, 0):
                    time.sleep(_ASK)
        yield
        if self.size > 1 and self.is_first:
            with _meeting():
                self.store.add(_PREPARED, 1)


_PREPARED, _ASK = "prepared", 0.2
"""Key of the store at which the first process says so; seconds between two looks at it."""


class _Gather(torch.autograd.Function):
    """All processes' parts, (B / n, …) each, as the (B, …) that they were shared from."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, distributed: Distributed) -> Tensor:
        ctx.distributed = distributed
        parts = [torch.empty_like(part) for _ in range(distributed.size)]
        with _meeting():
            dist.all_gather(parts, part.contiguous())
        return torch.stack(parts, dim=1).flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        # each has its part of the gradient, which is the sum of all, where a mean is taken
        distributed = ctx.distributed
        return distributed.share(gradients[0]) * distributed.size, None


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
            yield Distributed(rank, size, chosen, store)
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
