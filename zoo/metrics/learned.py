"""LPIPS (Zhang et al., CVPR 2018) of what a judge makes of pairs of pictures.

Legend: n pairs of pictures.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def measure_lpips_alex(lpips_alex: npt.ArrayLike) -> Floats:
    """(n,) sums of distances (n, 5) at the five depths of AlexNet."""
    return _sum_depths(lpips_alex)


def measure_lpips_vgg(lpips_vgg: npt.ArrayLike) -> Floats:
    """(n,) sums of distances (n, 5) at the five depths of VGG16."""
    return _sum_depths(lpips_vgg)


def _sum_depths(distances: npt.ArrayLike) -> Floats:
    return np.asarray(np.asarray(distances, np.float64).sum(axis=1))
