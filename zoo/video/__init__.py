"""From rendered faces to photographs: the rendering-to-video network and its training.

FACIAL (Zhang et al., ICCV 2021, section 3.4). `zoo.video.recipe` trains it, `zoo.video.model` opens
what was trained.
"""
