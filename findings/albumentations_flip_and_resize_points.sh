#!/usr/bin/env bash
# albumentations 2.0.8: landmarks that are flipped and then resized are other landmarks than those
# that are resized and then flipped, though the pictures are the same to the bit.
#
# Expected: keypoints go with the picture. Enlarging four times and mirroring may be done in either
# order: the picture is the same in every pixel, so a point on it has to be at the same place.
#
# What happens: the points are three pixels apart, wherever they lie. HorizontalFlip and
# VerticalFlip take x to width - 1 - x, which is right where whole numbers are the middles of
# pixels; Resize takes x to scale * x, which is right where whole numbers are their edges. The
# documentation says that the picture's top-left corner is (0, 0), which may be read either way;
# whichever holds, one of the two transforms is wrong.
#
# Why it matters: Resize(256, 256) with HorizontalFlip(p=0.5) behind it is how landmark networks are
# trained. From pictures of 1024 px, labels that count middles come out 0.375 px too far to the
# right, and to the left where a picture was flipped; labels that count edges are 1 px off where it
# was. Half a pixel added before Resize and taken off behind it, scale * (x + 0.5) - 0.5, makes both
# agree for labels that count middles, as shown here.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check albumentations==2.0.8 albucore==0.0.24 numpy==1.26.4 opencv-python-headless==4.11.0.86 scipy==1.17.0 pydantic==2.11.7 stringzilla==3.12.6 simsimd==6.5.16

cat > "$folder/check.py" <<'PYTHON'
import sys
from importlib.metadata import version

import albumentations
import cv2
import numpy as np

SIZE, POINT = 64, np.array([10.0, 20.0])
NOISE = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def apply(steps, point, shift=0.0):
    """Picture and point behind the steps; `shift` is added before each Resize and taken off."""
    picture = NOISE
    for step in steps:
        moved = shift if isinstance(step, albumentations.Resize) else 0.0
        where = albumentations.KeypointParams(format="xy", remove_invisible=False)
        change = albumentations.Compose([step], keypoint_params=where)
        result = change(image=picture, keypoints=point[None] + moved)
        picture, point = result["image"], result["keypoints"][0] - moved
    return picture, point


print("albumentations", version("albumentations"))
gaps, mended = [], []
for flip in (albumentations.HorizontalFlip(p=1), albumentations.VerticalFlip(p=1)):
    for side in (4 * SIZE, SIZE // 4):
        resize = albumentations.Resize(side, side, interpolation=cv2.INTER_AREA)
        orders = (flip, resize), (resize, flip)
        pictures, points = zip(*(apply(order, POINT) for order in orders))
        if not np.array_equal(*pictures):
            sys.exit("CHANGED: a comparison failed: the pictures differ")
        gaps.append(np.abs(points[0] - points[1]).max())
        print(f"{type(flip).__name__}, {SIZE} to {side} px, pictures equal: flipped first", end=" ")
        print(points[0], "resized first", points[1], f"{gaps[-1]:.2f} px apart")
        points = [apply(order, POINT, shift=0.5)[1] for order in orders]
        mended.append(np.abs(points[0] - points[1]).max())
print(f"with half a pixel added before Resize and taken off behind it: {max(mended):.2g} px apart")
if max(mended) > 1e-3:
    sys.exit("CHANGED: a comparison failed: half a pixel does not make them equal")
if not np.allclose(gaps, [3, 0.75, 3, 0.75], atol=1e-3):
    sys.exit("CHANGED: the points are not as far apart")
print("as described")
PYTHON
NO_ALBUMENTATIONS_UPDATE=1 "$folder/venv/bin/python" "$folder/check.py"

# Seen, Linux x86-64:
# albumentations 2.0.8
# HorizontalFlip, 64 to 256 px, pictures equal: flipped first [212.  80.] resized first [215.  80.] 3.00 px apart
# HorizontalFlip, 64 to 16 px, pictures equal: flipped first [13.25  5.  ] resized first [12.5  5. ] 0.75 px apart
# VerticalFlip, 64 to 256 px, pictures equal: flipped first [ 40. 172.] resized first [ 40. 175.] 3.00 px apart
# VerticalFlip, 64 to 16 px, pictures equal: flipped first [ 2.5  10.75] resized first [ 2.5 10. ] 0.75 px apart
# with half a pixel added before Resize and taken off behind it: 0 px apart
# as described
