"""The points of MediaPipe's face mesh by name, and the greatest AU45: once, for everybody.

Right and left are the subject's. Indices are those of the mesh of 478 points; its first 468 are
vertices of the face, the rest belong to the irises.
"""

NUM_VERTICES = 468
NUM_LANDMARKS = 478
"""The vertices, and 2 × 5 iris points."""

MAX_AU45 = 5.0
"""AU45 of closed eyes, on FACS's scale of intensity as OpenFace writes it: 0 (open) to 5."""

# --- eyes ---------------------------------------------------------------------------------------

EYE_CORNERS = ((33, 133), (263, 362))
"""Outer and inner corner of each eye, right eye first."""

OUTER_EYE_CORNERS = (33, 263)
"""Right, left: their distance is the interocular distance."""

UPPER_LIDS = ((246, 161, 160, 159, 158, 157, 173), (466, 388, 387, 386, 385, 384, 398))
LOWER_LIDS = ((7, 163, 144, 145, 153, 154, 155), (249, 390, 373, 374, 380, 381, 382))
"""Rows of each eye between its corners, from the outer to the inner one, right eye first."""

EAR_POINTS = ((362, 385, 387, 263, 373, 380), (33, 160, 158, 133, 153, 144))
"""p1 … p6 of the eye aspect ratio, Soukupova & Cech (2016), fig. 1 (corner, upper lid × 2, corner,
lower lid × 2); the LEFT eye first, as in `face/ear`."""

LID_MIDDLES = ((386, 374), (159, 145))
"""Middle of the upper and of the lower lid; the LEFT eye first, as in `EAR_POINTS`."""

IRIS_DIAMETERS = ((469, 471), (474, 476))
"""Ends of each iris's horizontal diameter, right eye first."""

IRIS_MM = 11.7
"""Horizontal visible diameter of the human iris (mean 11.7, sd 0.4 mm between adults)."""

# --- mouth --------------------------------------------------------------------------------------

MOUTH_CORNERS = (61, 291)
"""Corners of the lips' outer edge: right, left."""

OUTER_UPPER_LIP = (185, 40, 39, 37, 0, 267, 269, 270, 409)
OUTER_LOWER_LIP = (146, 91, 181, 84, 17, 314, 405, 321, 375)
"""The lips' outer edge between its corners, from right to left."""

INNER_LIP_CORNERS = (78, 308)
INNER_UPPER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
INNER_LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
"""The lips' inner edge between its corners, from right to left."""

LIP_MIDDLES = (13, 14)
"""Middle of the inner edge of the upper and of the lower lip."""

# --- face ---------------------------------------------------------------------------------------

FOREHEAD, CHIN = 10, 152
"""Top and bottom of the face's middle line."""

GLABELLA, NOSE_TIP, NOSE_BASE = 9, 4, 2
"""Between the brows; the tip; where the nose meets the upper lip."""

CHEEKS = (234, 454)
"""Widest points of the face's outline: right, left."""

# --- the 68-point view --------------------------------------------------------------------------

LANDMARKS68 = (
    127, 234, 177, 215, 172, 136, 149, 148, 152, 377, 378, 365, 397, 435, 401, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""Mesh vertex of each of the 68 points of the iBUG/300-W mark-up (jaw 17, brows 2 × 5, nose 9,
eyes 2 × 6, lips 12 + 8; the subject's right side first). No published table: chosen by what each
point is on the mesh's topology drawing (eye corners, lid points at thirds, nostrils, lip corners
and midpoints), then compared, with their neighbours, with 68 points marked by hand on 20 faces.
That moved jaw points 1, 3, 4, 14, 15 and 17 (counted from 1), which had been on the mesh's
outline or the temple. Mean distance over interocular distance: see its tests. The jaw
stays the weak part: a mark there is where the contour is seen, a vertex is on the skin."""

EYES68 = (slice(36, 42), slice(42, 48))
"""Of the 68 points: the six of each eye, right eye first; their mean is its centre."""

LIPS68 = slice(48, 68)
"""Of the 68 points: 12 of the outer, then 8 of the inner contour of the lips."""
