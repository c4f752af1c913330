"""StyleGAN2 (Karras et al., CVPR 2020), which families share: generator, discriminator, layers.

Parameters and buffers have the names of the published PyTorch checkpoints, so that these load as
they are.
"""
