#!/usr/bin/env bash
# tensorboard 2.20.0: of two event files begun within one second by one process, the tenth is read
# before the ninth.
#
# Expected: a run that is stopped and gone on with writes a second event file into its folder, and
# EventAccumulator gives the steps of both in the order in which they were written.
#
# What happens: names end in the second, the host, the process and a number that counts the writers
# of that process, ….PID.9 and ….PID.10. Files are sorted as text, where 10 comes before 9: steps 6
# to 8 of the second file come before 1 to 5 of the first. Two writers later all is in order.
#
# Why it matters: tests of resuming, and sweeps of short runs in one process, make many writers
# within a second. Where the second file says from which step on older values are void, as torch's
# purge_step does, some are lost; and a test that compares the steps fails once in so many orders of
# tests, at a number of earlier writers that has nothing to do with it.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorboard==2.20.0 numpy==1.26.4 protobuf==4.25.9 setuptools==80.9.0

cat > "$folder/check.py" <<'PYTHON'
import sys
import time
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard import version

FOLDER = Path(sys.argv[1])


def write(run, steps):
    writer = EventFileWriter(str(run))
    for step in steps:
        value = Summary.Value(tag="loss", simple_value=1 / step)
        event = Event(wall_time=time.time(), step=step, summary=Summary(value=[value]))
        writer.add_event(event)
    writer.close()


def show(run):
    """Two files of one run within one second; the steps that are read."""
    time.sleep(1 - time.time() % 1 + 0.05)
    began = int(time.time())
    write(run, range(1, 6))
    write(run, range(6, 9))
    if int(time.time()) != began:
        sys.exit("CHANGED: a comparison failed: the files were not begun within one second")
    events = EventAccumulator(str(run))
    events.Reload()
    return [event.step for event in events.Scalars("loss")]


print("tensorboard", version.VERSION)
for _ in range(9):  # writers 0 to 8
    write(FOLDER / "others", range(1, 2))
ninth, eleventh = show(FOLDER / "run-9"), show(FOLDER / "run-11")
for name, steps in (("9 and 10", ninth), ("11 and 12", eleventh)):
    print(f"writers {name}: steps", *steps)
if eleventh != list(range(1, 9)):
    sys.exit("CHANGED: a comparison failed: numbers of as many digits lose steps, too")
if ninth == list(range(1, 9)):
    sys.exit("CHANGED: the steps of both files are shown")
print("as described")
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder"

# Seen, Linux x86-64:
# writers 9 and 10: steps 6 7 8 1 2 3 4 5
# writers 11 and 12: steps 1 2 3 4 5 6 7 8
