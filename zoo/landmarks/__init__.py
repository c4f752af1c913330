"""Faces as 68 points: alignment, eq. 7 of Das et al. (2020), statistics, and how they are drawn.

Canonical space: the average face at rest, x right, y down, the middle of its bounding box at the
origin, its larger side 2 long, so that it spans exactly −1 to 1 along that side.

Pure functions on arrays; points are (…, 68, 2), numbered as `toolkit.mesh.LANDMARKS68`.
"""
