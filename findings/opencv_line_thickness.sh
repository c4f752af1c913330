#!/usr/bin/env bash
# opencv-contrib-python 4.11.0.86: lines are one or two pixels wider than their thickness says, and
# thickness 3 and 4 are the same line.
#
# Expected: cv2.line and cv2.polylines with thickness t draw a line t pixels wide; with LINE_AA of
# that width on the average, which is what anti-aliasing is for.
#
# What happens: thickness 1 is 1 px wide, 2 is 3, 3 and 4 are 5, 5 and 6 are 7, 7 and 8 are 9. With
# LINE_AA 0.4 px come on top. Between 1 and 2 the width triples, between 3 and 4 it stays.
#
# Why it matters: faces are given to networks as lines through their landmarks. Who scales the
# thickness with the picture (1 at 128 px, 2 at 256 px, 4 at 512 px) draws 1, 3 and 5 px, which are
# 2.0, 3.0 and 2.5 px of 256: a network that was trained at one size sees other faces at another.
# Draw at one size and reduce the picture.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-contrib-python==4.11.0.86 numpy==1.26.4

cat > "$folder/check.py" <<'PYTHON'
import sys

import cv2
import numpy as np


def measure(thickness, kind, steep):
    """Width of a long line: what it covers of rows across it, over their number."""
    picture = np.zeros((400, 400), np.uint8)
    points = np.array([[20, 200 - steep], [380, 200 + steep]])
    cv2.polylines(picture, [points], False, 255, thickness, kind)
    columns = picture[:, 100:300].sum(axis=0) / 255
    length = np.hypot(360, 2 * steep) / 360  # a column cuts a slanted line obliquely
    return float(columns.mean() / length)


print("OpenCV", cv2.__version__)
rows = {
    (name, slope): [measure(t, kind, steep) for t in range(1, 10)]
    for name, kind in (("LINE_8", cv2.LINE_8), ("LINE_AA", cv2.LINE_AA))
    for slope, steep in (("level", 0), ("slanted", 100))
}
print("thickness        ", *(f"{t:5d}" for t in range(1, 10)))
for (name, slope), widths in rows.items():
    print(f"{name:8}{slope:9}", *(f"{width:5.2f}" for width in widths))
level = rows["LINE_8", "level"]
if not np.isclose(level[0], 1):
    sys.exit("CHANGED: a comparison failed: the thinnest line is not one pixel wide")
if not np.allclose(level[1:], [3, 5, 5, 7, 7, 9, 9, 11]):
    sys.exit("CHANGED: lines have other widths")
for widths in rows.values():
    if not np.allclose(widths[2:8:2], widths[3:8:2], atol=0.05):
        sys.exit("CHANGED: thickness 3 and 4, 5 and 6 or 7 and 8 differ")
print("as described")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

# Seen, Linux x86-64:
# thickness             1     2     3     4     5     6     7     8     9
# LINE_8  level      1.00  3.00  5.00  5.00  7.00  7.00  9.00  9.00 11.00
# LINE_8  slanted    0.87  2.62  4.95  4.95  7.09  7.09  8.86  8.86 10.39
# LINE_AA level      1.35  3.44  5.44  5.44  7.44  7.44  9.44  9.44 11.44
# LINE_AA slanted    1.31  3.32  5.34  5.34  7.37  7.37  9.21  9.21 11.28
