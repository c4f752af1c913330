"""FACIAL-GAN (Zhang et al., ICCV 2021): from speech to expression, head pose and blinks.

The paper is arXiv:2108.07938; Tables 1 and 2 are in its supplement.
"""
