#!/usr/bin/env bash
# ray 2.60.0: tasks and actors run at a niceness 15 above that of the program that starts Ray.
#
# Expected: ray.init() starts processes as concurrent.futures or torch.multiprocessing do, with the
# niceness of their parent, so that two actors get what two worker processes get.
#
# What happens: the raylet raises the niceness of every worker process by 15 (its setting
# worker_niceness), with no message. A task that asks for os.nice(0) gets 15; a process that
# multiprocessing starts beside it gets 0.
#
# Why it matters: on a machine that does anything else, as one core's training beside an ingest, the
# scheduler gives a process of niceness 15 about a twenty-eighth of what one of niceness 0 gets: the
# cluster seems to hang, and a comparison with local workers measures the scheduler.
# RAY_worker_niceness=0 in the environment of what starts the node leaves workers as they are.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0

cat > "$folder/check.py" <<'PYTHON'
import multiprocessing
import os
import sys

import ray


def read_niceness():
    return os.nice(0)


def ask_ray():
    ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    found = ray.get(ray.remote(read_niceness).remote())
    ray.shutdown()
    return found


if __name__ == "__main__":
    print("ray", ray.__version__)
    own = os.nice(0)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        local = pool.apply(read_niceness) - own
    by_ray = ask_ray() - own
    os.environ["RAY_worker_niceness"] = "0"
    told = ask_ray() - own
    print(f"above this process: multiprocessing {local}, Ray {by_ray}, Ray asked for none {told}")
    if (local, told) != (0, 0):
        sys.exit("CHANGED: a comparison failed")
    if by_ray != 15:
        sys.exit("CHANGED: Ray's workers have another niceness")
    print("as described")
PYTHON
RAY_USAGE_STATS_ENABLED=0 RAY_TMPDIR="$folder/ray" "$folder/venv/bin/python" "$folder/check.py"

# Seen, Linux x86-64:
# above this process: multiprocessing 0, Ray 15, Ray asked for none 0
