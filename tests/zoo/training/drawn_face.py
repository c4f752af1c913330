"""Weights of dlib's face recogniser that were drawn and not trained, of the right shapes."""

from pathlib import Path

import numpy as np

from zoo.training.face_network import STAGES, FaceNetwork
from zoo.training.face_weights import Convolution, FaceWeights

Layer = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def list_shapes() -> list[tuple[int, int, int, int]]:
    """(out, in, height, width) of the 29 convolutions."""
    shapes, before = [(32, 3, 7, 7)], 32
    for width, blocks in STAGES:
        for _ in range(blocks):
            shapes += [(width, before, 3, 3), (width, width, 3, 3)]
            before = width
    return shapes


def draw_layers() -> tuple[list[Layer], np.ndarray]:
    """Weights of each convolution and of the last layer (128, 256), of the right shapes."""
    rng = np.random.default_rng(0)
    layers = [
        (
            (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32),
            rng.normal(size=shape[0]).astype(np.float32) / 10,
            rng.uniform(0.5, 1, shape[0]).astype(np.float32),
            rng.normal(size=shape[0]).astype(np.float32) / 10,
        )
        for shape in list_shapes()
    ]
    return layers, rng.normal(size=(128, 256)).astype(np.float32)


def make_face_network() -> FaceNetwork:
    """The network with these weights."""
    layers, leave = draw_layers()
    folded = [Convolution.fold(*layer) for layer in layers]
    return FaceNetwork(FaceWeights(Path("drawn.dat"), "drawn", "0" * 64, folded, leave))
