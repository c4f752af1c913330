"""Windows a second of so many steps: `torchrun --nproc-per-node 2 -m tests.benchmarks.processes`.

Arguments: preset, windows of a step over all processes, steps. The first process prints the rate.
"""

import sys

from tests.benchmarks.motion import make_clips, make_task, time_steps
from zoo.training.distributed import join_world


def main() -> None:
    """Time the steps in every process, and say how long the first one took."""
    preset, batch_size, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with join_world("cpu") as world:
        task = make_task(make_clips(20), world, preset=preset, batch_size=batch_size, device="cpu")
        world.wait()
        times = time_steps(task, steps, world.device)
        world.wait()
        if world.is_first:
            print(f"rate {times.rate}")


if __name__ == "__main__":
    main()
