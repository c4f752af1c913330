"""Windows a second of so many steps: `torchrun --nproc-per-node 2 -m tests.benchmarks.processes`.

Arguments: preset, windows of a step over all processes, steps. The first process prints the rate.
"""

import sys

from tests.benchmarks.motion import make_clips, make_task, time_steps
from zoo.training.distributed import init_distributed


def main() -> None:
    """Time the steps in every process, and say how long the first one took."""
    preset, batch_size, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with init_distributed("cpu") as distributed:
        task = make_task(
            make_clips(20), distributed, preset=preset, batch_size=batch_size, device="cpu"
        )
        distributed.wait()
        times = time_steps(task, steps, distributed.device)
        distributed.wait()
        if distributed.is_first:
            print(f"rate {times.rate}")


if __name__ == "__main__":
    main()
