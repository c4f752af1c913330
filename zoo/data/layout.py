"""The 71 numbers of a frame's motion, and the length of what a network looks at."""

MOTION_LAYOUT = "expression64-pose6-au45-1/v1"
"""Name and version of the motion vector; stands in every checkpoint.

Stored units: expression in standard deviations, pitch, yaw, roll in rad, tx, ty, tz in mm, AU45
from 0 to 5.
"""

EXPRESSION, POSE, AU45 = slice(0, 64), slice(64, 70), slice(70, 71)
MOTION_SIZE = 71

WINDOW = 128
"""T: frames of a window (FACIAL, section 5.1, and section 1 of its supplement)."""

CONTEXT = (8, 7)
"""Frames before and after t in its local window of 16, `a[t - 8 : t + 8]`: index 8 is t."""

MIN_FRAMES = 16
"""Of a clip that is trained on and scored; one shorter than `WINDOW` is one window, padded."""
