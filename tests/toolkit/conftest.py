"""What tests of faces in pictures share."""

import numpy as np
import pytest

from tests.numbered import Picture
from toolkit.features.landmarks import FaceMesh


@pytest.fixture(scope="module")
def mesh() -> FaceMesh:
    return FaceMesh()


@pytest.fixture(scope="module")
def portrait() -> Picture:
    data = pytest.importorskip("skimage.data")
    return np.asarray(data.astronaut()[:300, 60:420], np.uint8)
