#!/usr/bin/env bash
# opencv-contrib-python 4.11.0.86: cv2.PSNR of two equal pictures is 361.2 dB, a finite number.
#
# Expected: the documentation gives 10 log10(R² / MSE). Of equal pictures MSE is 0 and the value is
# infinite, as in scikit-image and torchmetrics, so that np.isfinite finds such frames and a mean
# that holds one is seen to be no number.
#
# What happens: the root of MSE is raised by 2.2e-16 before the division, so equal pictures have
# 20 log10(255 / 2.2e-16) = 361.2 dB. The best value of pictures of 8 bits that differ at all, one
# level in one number of a frame of 1920 × 1080, is 116.1 dB.
#
# Why it matters: means over the frames of a video. Frames that repeat, black ones, the first frame
# of a still picture beside its own video are equal to the real ones. One such frame in ten lifts a
# mean of 30.1 dB to 63.2 dB, and no test for infinity or NaN finds it. Leave equal frames out, or
# average the squared errors instead.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-contrib-python==4.11.0.86 numpy==1.26.4 scikit-image==0.24.0

cat > "$folder/check.py" <<'PYTHON'
import sys

import cv2
import numpy as np
from skimage.metrics import peak_signal_noise_ratio

real = np.random.default_rng(0).integers(20, 230, (1080, 1920, 3), dtype=np.uint8)
one_level = real.copy()
one_level[0, 0, 0] += 1
eight_levels = real + np.uint8(8)

seen = {
    name: cv2.PSNR(real, picture)
    for name, picture in (("equal", real), ("one level", one_level), ("8 levels", eight_levels))
}
with np.errstate(divide="ignore"):
    other = peak_signal_noise_ratio(real, real)
mean = np.mean([seen["equal"], *[seen["8 levels"]] * 9])
print("OpenCV", cv2.__version__)
print("expected: of equal pictures inf, as scikit-image has it:", other)
for name, value in seen.items():
    print(f"cv2.PSNR, {name}: {value:.1f} dB")
print(f"mean of nine frames that differ by 8 levels and one that is equal: {mean:.1f} dB")

by_hand = 10 * np.log10(255**2 * real.size), 20 * np.log10(255 / 8)
if not np.isinf(other) or not np.allclose((seen["one level"], seen["8 levels"]), by_hand):
    sys.exit("CHANGED: a comparison failed")
if not np.isfinite(seen["equal"]):
    sys.exit("CHANGED: cv2.PSNR of equal pictures is infinite")
print("seen: a finite value, which counts in every mean")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

# Seen, Linux x86-64:
# cv2.PSNR, equal: 361.2 dB
# cv2.PSNR, one level: 116.1 dB
# cv2.PSNR, 8 levels: 30.1 dB
# mean of nine frames that differ by 8 levels and one that is equal: 63.2 dB
