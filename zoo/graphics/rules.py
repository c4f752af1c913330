"""The rules by which triangles become pixels; both rasterisers follow them to the last bit.

1. A vertex is seen at `x = fx·X/Z + cx`, `y = fy·Y/Z + cy`, rounded to 1/256 px (half to even).
   All tests of position are then made in whole numbers.
2. A triangle is drawn where its corners run clockwise on the screen (y down): there its outside
   faces the camera. Triangles seen from behind, without area, with a corner nearer than 1 mm or
   further than 2^20 px from the origin of the picture are not drawn.
3. A pixel is covered where its centre (i + 1/2, j + 1/2) lies inside, or on a top or left edge:
   of two triangles that share an edge, one covers a centre on it.
4. The nearest covering triangle is seen: of the largest 1/Z, which is linear on the screen; the
   one with the lower number where two are equal to the last bit.
5. Values are interpolated perspective-correctly, in float64, in the order that is written here,
   without fused operations; colours are then clipped to 0 to 255 and rounded (half up).

With edge functions `e(a, b, p) = (bx − ax)·(py − ay) − (by − ay)·(px − ax)`, a pixel centre p has
weights `w0 = e(b, c, p)`, `w1 = e(c, a, p)`, `w2 = e(a, b, p)`, all at least 0 inside, and
`area = e(a, b, c)`. With `r = (1/Z) / area` of each corner and `p_k = w_k·r_k`, the depth is
`1/Z = (p0 + p1) + p2` and a value is `((p0·v0 + p1·v1) + p2·v2) / 1/Z`.
"""

SUBPIXELS = 256
"""Positions that a px has along each axis."""

NEAREST = 1.0
"""Depth (mm) in front of which nothing is drawn."""

FURTHEST = 2.0**20
"""Coordinate (px) beyond which nothing is drawn: keeps products within 64 bits."""
