#!/usr/bin/env bash
# opencv-contrib-python 4.11.0.86: cv2.dnn computes an ONNX network on inputs of any size, though the
# file states the size of its input.
#
# Expected: a file whose input is stated as 1 x 3 x 112 x 112, as face recognisers have it, is
# refused with another size. ONNX Runtime does so: INVALID_ARGUMENT, with the axis, the size that it
# got and the one that it expects.
#
# What happens: after setInput() of another height, width or number of pictures forward() gives an
# array of the right form without a warning, wherever the layers can be computed, as convolutions
# and a global mean can. The stated shape is checked nowhere.
#
# Why it matters: features of faces are compared by their angle, and those of a face shown at 160 px
# to a network for 112 px are other numbers of the same form. Similarities are off and nothing fails.
# Files of one recogniser exist for 112 x 112 and for 160 x 160. Read the shape from the file itself.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-contrib-python==4.11.0.86 numpy==1.26.4 onnx==1.17.0 onnxruntime==1.20.1

cat > "$folder/check.py" <<'PYTHON'
import sys

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

path = sys.argv[1]
rng = np.random.default_rng(0)
weights = rng.normal(size=(16, 3, 5, 5)).astype(np.float32)
graph = helper.make_graph(
    [
        helper.make_node("Conv", ["picture", "weights"], ["maps"], kernel_shape=[5, 5]),
        helper.make_node("Relu", ["maps"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["means"]),
        helper.make_node("Flatten", ["means"], ["features"]),
    ],
    "features",
    [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 112, 112])],
    [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 16])],
    [numpy_helper.from_array(weights, "weights")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
model.ir_version = 8
onnx.checker.check_model(model, full_check=True)
onnx.save(model, path)

net = cv2.dnn.readNetFromONNX(path)
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
# one picture: smooth random colours, the same at every size
small = rng.uniform(-1, 1, (14, 14, 3)).astype(np.float32)


def show(side, number=1):
    """The picture, so many times, (number, 3, side, side)."""
    picture = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.repeat(picture.transpose(2, 0, 1)[None], number, axis=0)


def infer(pictures):
    net.setInput(pictures)
    return net.forward()


def refuses(pictures):
    try:
        session.run(None, {"picture": pictures})
    except Exception as error:
        return "INVALID_ARGUMENT" in str(error)
    return False


print("OpenCV", cv2.__version__, "ONNX Runtime", onnxruntime.__version__)
right = infer(show(112))
same = np.abs(right - session.run(None, {"picture": show(112)})[0]).max()
print(f"112 px: OpenCV and ONNX Runtime differ by {same:.0e} at most")
if not same < 1e-4:
    sys.exit("CHANGED: a comparison failed")
for pictures in (show(160), show(56), show(112, 3)):
    try:
        features = infer(pictures)
    except cv2.error as error:
        sys.exit(f"CHANGED: OpenCV refuses {pictures.shape}: {str(error).splitlines()[0]}")
    cosine = float(
        (features[0] @ right[0]) / np.linalg.norm(features[0]) / np.linalg.norm(right[0])
    )
    print(
        f"{pictures.shape}: OpenCV gives {features.shape}, cosine with those of 112 px "
        f"{cosine:.3f}; ONNX Runtime refuses: {refuses(pictures)}"
    )
    if not refuses(pictures):
        sys.exit("CHANGED: a comparison failed: ONNX Runtime takes it")
print("as described")
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder/features.onnx"

# Seen, Linux x86-64:
# OpenCV 4.11.0 ONNX Runtime 1.20.1
# 112 px: OpenCV and ONNX Runtime differ by 5e-07 at most
# (1, 3, 160, 160): OpenCV gives (1, 16), cosine with those of 112 px 0.999; ONNX Runtime refuses: True
# (1, 3, 56, 56): OpenCV gives (1, 16), cosine with those of 112 px 0.984; ONNX Runtime refuses: True
# (3, 3, 112, 112): OpenCV gives (3, 16), cosine with those of 112 px 1.000; ONNX Runtime refuses: True
# as described
