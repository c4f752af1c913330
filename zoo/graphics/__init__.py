"""The rasteriser: pictures of the face model that lie on stored frames pixel for pixel.

FACIAL (Zhang et al., ICCV 2021, sections 3.3 and 3.4): what the rendering-to-video network sees.
"""
