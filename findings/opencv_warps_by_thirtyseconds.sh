#!/usr/bin/env bash
# opencv-python-headless 4.11.0.86: warpAffine, warpPerspective and remap place every pixel on a
# grid of 1/32 px, of float32 pictures and maps too.
#
# Expected: with INTER_LINEAR and float32 pictures, a ramp of one level a pixel that is shifted by
# 0.01 px changes by 0.01 levels; INTER_LINEAR says how values between pixels are found, not where.
#
# What happens: places are rounded to thirty-seconds of a pixel before anything is interpolated
# (the weights come from a table of 32 entries, which float pictures share). A shift below 1/64 px
# does nothing, one of 0.02 px is one of 0.03125 px. INTER_CUBIC and INTER_LANCZOS4 round alike.
#
# Why it matters: slow motion, as of a crop that follows a head or of a drift to be measured, comes
# in steps; an optimiser that moves a picture by less than 1/64 px sees no change, and numerical
# gradients by it are 0 or wrong by half. torch's grid_sample, or scipy's map_coordinates, which
# stands beside it here, take places as they are.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==4.11.0.86 numpy==1.26.4 scipy==1.17.0

cat > "$folder/check.py" <<'PYTHON'
import sys

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

SIDE = 64
ramp = np.tile(np.arange(SIDE, dtype=np.float32), (SIDE, 1))
x, y = np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32))
flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def shift(by):
    """By how many levels the ramp's middle changes: by as many as it is shifted by, in px."""
    matrix = np.array([[1, 0, by], [0, 1, 0], [0, 0, 1]], np.float64)
    return {
        "warpAffine": cv2.warpAffine(ramp, matrix[:2], (SIDE, SIDE), flags=flags),
        "warpPerspective": cv2.warpPerspective(ramp, matrix, (SIDE, SIDE), flags=flags),
        "remap": cv2.remap(ramp, x + np.float32(by), y, cv2.INTER_LINEAR),
        "map_coordinates": map_coordinates(ramp, [y, x + by], order=1),
    }


print("OpenCV", cv2.__version__)
for by in (0.01, 0.02, 0.1, 0.25):
    found = {name: float(picture[32, 32]) - 32 for name, picture in shift(by).items()}
    print(f"shift by {by} px:", ", ".join(f"{name} {value:.5f}" for name, value in found.items()))
    if abs(found.pop("map_coordinates") - by) > 1e-4:
        sys.exit("CHANGED: the comparison failed")
    if any(abs(value - round(by * 32) / 32) > 1e-5 for value in found.values()):
        sys.exit("CHANGED: places are no longer rounded to 1/32 px")
print("as described")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

# Seen, Linux x86-64:
# shift by 0.01 px: warpAffine 0.00000, warpPerspective 0.00000, remap 0.00000, map_coordinates 0.01000
# shift by 0.02 px: warpAffine 0.03125, warpPerspective 0.03125, remap 0.03125, map_coordinates 0.02000
# shift by 0.1 px: warpAffine 0.09375, warpPerspective 0.09375, remap 0.09375, map_coordinates 0.10000
# shift by 0.25 px: warpAffine 0.25000, warpPerspective 0.25000, remap 0.25000, map_coordinates 0.25000
