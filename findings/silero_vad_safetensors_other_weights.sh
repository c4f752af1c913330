#!/usr/bin/env bash
# silero-vad 6.2.3: silero_vad_16k.safetensors holds another network than silero_vad.jit and .onnx.
#
# Expected: the wheel carries one voice activity detector in several formats. Its description calls
# the safetensors file "separate weights in safetensors format (for simplicity we provided just the
# 16k model)"; it lies beside silero_vad.jit and silero_vad.onnx, its tensors have the names and
# shapes of the same layers, and its transform is the same. So a user who wants plain tensors that
# execute nothing, for a port to NumPy, Rust or a browser, would expect the same probabilities.
#
# What happens: of its fifteen tensors only the fixed Fourier basis equals that of the .jit. The
# rest is another training: on one and the same sound probabilities differ by some tenths, and
# steps fall on the other side of the threshold of 0.5. The .jit and the .onnx agree with each other.
# Nothing says so, and no test of shapes, names or loading can show it.
#
# The script computes the network from its tensors in a few lines of torch. With the tensors of the
# .jit these lines give what the .jit itself gives, and what the .onnx gives: so the lines are right,
# and what differs with the tensors of the safetensors file are the tensors.
#
# Input: ten seconds of vowels, synthesised as pulses through three resonances, with pauses.
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check silero-vad==6.2.3 torch==2.13.0 numpy==1.26.4 safetensors==0.8.0 onnxruntime==1.32.0 scipy==1.17.0

cat > "$folder/check.py" <<'PYTHON'
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from scipy.signal import lfilter

from silero_vad import load_silero_vad

DATA = Path(find_spec("silero_vad").origin).parent / "data"
RATE, STEP, CONTEXT = 16000, 512, 64
NAMES = {  # in the safetensors file -> in the .jit
    "stft_conv.weight": "stft.forward_basis_buffer",
    **{
        f"conv{n}.{part}": f"encoder.{n - 1}.reparam_conv.{part}"
        for n in (1, 2, 3, 4)
        for part in ("weight", "bias")
    },
    **{
        f"lstm_cell.{part}": f"decoder.rnn.{part}"
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    },
    **{f"final_conv.{part}": f"decoder.decoder.2.{part}" for part in ("weight", "bias")},
}
VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))


def make_speech(seconds=10.0):
    """Pulses at 100 to 140 Hz through three resonances, syllables of 0.2 s with pauses."""
    generator = np.random.default_rng(0)
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * time)
    pulses = np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0)
    pulses = lfilter([1], [1, -0.95], pulses) + 0.01 * generator.standard_normal(len(time))
    sound = np.zeros(len(time))
    syllable = int(0.2 * RATE)
    for number, start in enumerate(range(0, len(time), syllable)):
        part = slice(start, start + syllable)
        voiced = pulses[part]
        for formant in VOWELS[generator.integers(len(VOWELS))]:
            radius = np.exp(-np.pi * 90 / RATE)
            poles = [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2]
            voiced = lfilter([1 - radius], poles, voiced)
        loud = 0.0 if number % 5 == 4 else 1.0
        sound[part] = loud * voiced * np.hanning(len(voiced))
    sound = 0.3 * sound / np.abs(sound).max() + 0.002 * generator.standard_normal(len(time))
    return torch.tensor(sound, dtype=torch.float32)


def by_package(sound, onnx):
    model = load_silero_vad(onnx=onnx)
    steps = sound[: len(sound) // STEP * STEP].split(STEP)
    return np.array([float(model(step, RATE)) for step in steps])


def by_tensors(sound, t):
    """The network, from tensors by the names of the safetensors file."""
    probabilities, state = [], (torch.zeros(1, 128), torch.zeros(1, 128))
    cell = torch.nn.LSTMCell(128, 128)
    cell.load_state_dict({k.removeprefix("lstm_cell."): v for k, v in t.items() if "lstm" in k})
    before = torch.zeros(CONTEXT)
    for step in sound[: len(sound) // STEP * STEP].split(STEP):
        x = torch.nn.functional.pad(torch.cat([before, step])[None, None], (0, 64), mode="reflect")
        x = torch.nn.functional.conv1d(x, t["stft_conv.weight"], stride=128)
        x = torch.sqrt(x[:, :129] ** 2 + x[:, 129:] ** 2)
        for number, stride in zip((1, 2, 3, 4), (1, 2, 2, 1)):
            weight, bias = t[f"conv{number}.weight"], t[f"conv{number}.bias"]
            x = torch.nn.functional.conv1d(x, weight, bias, stride=stride, padding=1).relu()
        state = cell(x[:, :, 0], state)
        score = torch.nn.functional.conv1d(
            state[0].relu()[:, :, None], t["final_conv.weight"], t["final_conv.bias"]
        )
        probabilities.append(float(score.sigmoid()))
        before = step[-CONTEXT:]
    return np.array(probabilities)


torch.set_grad_enabled(False)
sound = make_speech()
jit = by_package(sound, onnx=False)
onnx = by_package(sound, onnx=True)
inside = torch.jit.load(str(DATA / "silero_vad.jit"))._model.state_dict()
loaded = load_file(DATA / "silero_vad_16k.safetensors")
same = [name for name in NAMES if torch.allclose(loaded[name], inside[NAMES[name]], atol=1e-6)]
own = by_tensors(sound, {name: inside[other] for name, other in NAMES.items()})
other = by_tensors(sound, loaded)

print("silero-vad", version("silero-vad"), "torch", torch.__version__)
print(f"tensors of the same shape: {sum(loaded[n].shape == inside[NAMES[n]].shape for n in NAMES)}")
print(f"tensors of the same values: {same}")
print(f"steps of 32 ms: {len(jit)}, of which the .jit calls speech: {(jit > 0.5).sum()}")
print("largest difference from the .jit:")
print(f"  the .onnx {np.abs(onnx - jit).max():.6f}")
print(f"  these lines with the .jit's tensors {np.abs(own - jit).max():.6f}")
print(f"  these lines with the safetensors file's {np.abs(other - jit).max():.3f}")
print(f"steps on the other side of 0.5 with these: {((other > 0.5) != (jit > 0.5)).sum()}")
if max(np.abs(onnx - jit).max(), np.abs(own - jit).max()) > 1e-3 or not (jit > 0.5).any():
    sys.exit("CHANGED: a comparison failed: the .jit, the .onnx and these lines no longer agree")
if same != ["stft_conv.weight"] or np.abs(other - jit).max() < 0.1:
    sys.exit("CHANGED: the safetensors file now holds the network of the .jit")
print("as described")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

# Seen, Linux x86-64:
# silero-vad 6.2.3 torch 2.13.0+cpu
# tensors of the same shape: 15
# tensors of the same values: ['stft_conv.weight']
# steps of 32 ms: 312, of which the .jit calls speech: 146
# largest difference from the .jit:
#   the .onnx 0.000002
#   these lines with the .jit's tensors 0.000000
#   these lines with the safetensors file's 0.457
# steps on the other side of 0.5 with these: 60
# as described
