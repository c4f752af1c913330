"""What an hour of sound costs: seconds of processor time on one core, and memory."""

import json
import os
import subprocess
import sys
import tempfile
import wave
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.clock import SAMPLE_RATE
from toolkit.media.audio import read_sound

_CHILD = """
import json, resource, sys
from pathlib import Path
import torch
from toolkit.media.audio import read_sound
from toolkit.features.deepspeech import infer_scores, interpolate_scores, load_network

torch.set_num_threads(1)
network = load_network(Path(sys.argv[1]))
def read_usage():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    return usage.ru_utime + usage.ru_stime, int(peak) / 1024  # ru_maxrss would be the parent's
start, _ = read_usage()
pcm = read_sound(Path(sys.argv[2]))
scores = interpolate_scores(infer_scores(network, pcm), round(len(pcm) * 30 / 16000), 30)
end, peak = read_usage()
print(json.dumps({"seconds": end - start, "peak": peak, "frames": len(scores)}))
"""


def measure_speed(folder: Path, weights: Path, *, seconds: int = 3600) -> dict[str, Any]:
    """Features of so much speech at 30 frames a second, by a process of its own, one thread.

    The speech is one recording over and over, in a WAV file; its reading counts too, and so does
    all that the process holds, PyTorch included.
    """
    pcm = read_sound(folder / "reference" / "facial" / "obama2.wav")
    with tempfile.TemporaryDirectory(prefix="ttk-") as scratch:
        sound = Path(scratch) / "speech.wav"
        with wave.open(str(sound), "wb") as file:
            file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
            file.writeframes(np.resize(pcm, seconds * SAMPLE_RATE).astype("<i2").tobytes())
        command = [sys.executable, "-c", _CHILD, str(weights), str(sound)]
        threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        done = subprocess.run(
            command, env=os.environ | threads, check=True, capture_output=True, text=True
        )
    found = json.loads(done.stdout)
    return {
        "seconds of sound": seconds,
        "frames": found["frames"],
        "seconds of processor time": found["seconds"],
        "of these per hour of sound": found["seconds"] * 3600 / seconds,
        "peak memory, MiB": found["peak"],
        "weights, MB": weights.stat().st_size / 1e6,
    }
