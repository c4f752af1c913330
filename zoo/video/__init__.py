"""From rendered faces to photographs: the rendering-to-video network and its training.

FACIAL (Zhang et al., ICCV 2021, section 3.4). `zoo.models.renderer.recipe` trains it, `zoo.models.renderer.model` opens
what was trained.
"""
