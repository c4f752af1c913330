#!/usr/bin/env bash
# py-feat 2.1.5: making a detector turns gradients off for the rest of the program.
#
# Expected: a detector that only infers may compute without gradients inside its own calls, with
# torch.no_grad() or inference_mode() (which detect() does use). After it was made, and after it was
# used, torch.is_grad_enabled() should be what it was, as with any torch module.
#
# What happens: the face detector that Detectorv1 (by default) and Detectorv2 make first calls
# torch.set_grad_enabled(False) in its constructor, as a plain statement, so that nothing ends it.
# From then on every result in that thread is without a graph. Nothing warns. The first backward()
# somewhere else fails with "does not require grad"; code that only asks .requires_grad or freezes
# what has no graph goes on in silence. What was made before stays trainable by name:
# parameters still say requires_grad=True.
#
# Why it matters: labelling frames and training on them in one program or notebook is the usual use.
# The error appears far from the cause, in a training step that has nothing to do with py-feat.
# Making the detector inside "with torch.no_grad():" restores the former state at its end.
#
# No weights are needed: the face detector is made with pretrained="none", which its documentation
# offers. The package is big: torch comes as a CUDA build.
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check py-feat==2.1.5 torch==2.14.1 torchvision==0.29.1 torchcodec==0.17.0 numpy==1.26.4 pandas==3.0.6

cat > "$folder/check.py" <<'PYTHON'
import inspect
import sys

import torch
from feat import Detectorv1, Detectorv2, __version__
from feat.face_detectors.Retinaface.Retinaface_test import Retinaface


def train(layer):
    """One step of training; what went wrong, or "trained"."""
    try:
        layer(torch.ones(1, 2)).sum().backward()
    except RuntimeError as error:
        return f"RuntimeError: {str(error).splitlines()[0]}"
    return "trained"


print("py-feat", __version__, "torch", torch.__version__)
layer = torch.nn.Linear(2, 1)
for detector in (Detectorv1, Detectorv2):
    print(f"{detector.__name__} makes it: {'Retinaface(device=' in inspect.getsource(detector)}")
before = torch.is_grad_enabled(), train(layer)
print("before: gradients enabled", *before)
Retinaface(device="cpu", pretrained="none")
after = torch.is_grad_enabled(), train(layer)
print("after the face detector was made: gradients enabled", *after)
print("parameters say requires_grad:", all(p.requires_grad for p in layer.parameters()))
torch.set_grad_enabled(True)
with torch.no_grad():
    Retinaface(device="cpu", pretrained="none")
inside = torch.is_grad_enabled(), train(layer)
print("made inside no_grad(): gradients enabled", *inside)

if not (before == inside == (True, "trained")):
    sys.exit("CHANGED: a comparison failed: training does not work without the detector")
if after[0] or after[1] == "trained":
    sys.exit("CHANGED: the detector leaves gradients as they were")
print("as described")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

# Seen, Linux x86-64:
# py-feat 2.1.5 torch 2.14.1+cu130
# Detectorv1 makes it: True
# Detectorv2 makes it: True
# before: gradients enabled True trained
# after the face detector was made: gradients enabled False RuntimeError: element 0 of tensors does
#     not require grad and does not have a grad_fn
# parameters say requires_grad: True
# made inside no_grad(): gradients enabled True trained
# as described
