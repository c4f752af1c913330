"""Landmarks that differ as much as can be."""

import numpy as np
import numpy.typing as npt


def choose_spread(landmarks: npt.ArrayLike, number: int) -> npt.NDArray[np.int64]:
    """Pictures (k,) as different as can be by their landmarks (n, 68, 2), in order.

    The first is the one nearest to the mean face, each further one that which is farthest from all
    before it; all of them where there are no more than `number`.
    """
    points = np.asarray(landmarks, np.float64).reshape(len(np.asarray(landmarks)), -1)
    nearest = np.linalg.norm(points - points.mean(axis=0), axis=1)
    chosen = [int(nearest.argmin())]
    distances = np.full(len(points), np.inf)
    while len(chosen) < min(number, len(points)):
        away = np.linalg.norm(points - points[chosen[-1]], axis=1)
        distances = np.minimum(distances, away)
        distances[chosen] = -1
        chosen.append(int(distances.argmax()))
    return np.sort(np.array(chosen, np.int64))
