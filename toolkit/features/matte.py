"""Which share of each pixel is a person: the network of MediaPipe's selfie segmentation.

OpenCV runs it, not MediaPipe: a process that was forked after MediaPipe ran, as a DataLoader's
workers may be, crashes when it opens a graph.
"""

import functools
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.errors import SetupError
from toolkit.memory import require_memory

Matte = npt.NDArray[np.float32]
"""(height, width) float32, 0 to 1."""

SIDE = 256
"""Side of what the network looks at, px."""

_MODEL = "modules/selfie_segmentation/selfie_segmentation.tflite"


def measure_matte(picture: npt.NDArray[np.uint8]) -> Matte:
    """The person's share (H, W) float32, 0 to 1, of each pixel of a picture (H, W, 3) uint8 RGB.

    It depends on the picture alone. Strands of hair are mostly left out.

    Raises:
        SetupError: MediaPipe, whose wheel holds the network, is not installed.
        MemoryError: memory is so short that OpenCV might abort the process.
    """
    require_memory()
    network = _open_network()
    network.setInput(cv2.dnn.blobFromImage(picture, 1 / 255, (SIDE, SIDE)))
    matte = network.forward()[0, 0]
    height, width = picture.shape[:2]
    resized = cv2.resize(matte, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized.clip(0, 1), np.float32)


@functools.cache
def _open_network() -> cv2.dnn.Net:
    package = find_spec("mediapipe")
    path = Path(package.origin).parent / _MODEL if package and package.origin else None
    if path is None or not path.is_file():
        raise SetupError("the network for mattes is not there: pip install mediapipe==0.10.21")
    return cv2.dnn.readNetFromTFLite(str(path))
