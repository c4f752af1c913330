"""Features: the table of backends, and how to make one.

`create_extractor("au45", "openface", openface_csv=folder)` gives what `--au45 openface` uses.
"""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.features.base import Extractor


@dataclass(frozen=True)
class Backend:
    """Where a backend's class stands, "module:Class", and the options of ingest that it takes."""

    path: str
    options: tuple[str, ...] = ()


_OPENFACE = ("openface_csv", "openface_binary")

BACKENDS: dict[str, dict[str, Backend]] = {
    "deepspeech": {
        "embedded": Backend("toolkit.features.deepspeech:DeepSpeech"),
        "checkpoint": Backend("toolkit.features.deepspeech:DeepSpeechCheckpoint", ("weights",)),
    },
    "whisper": {
        "tiny-en": Backend("toolkit.features.whisper:WhisperStates"),
    },
    "pose": {
        "mesh": Backend("toolkit.features.pose:MeshPose", ("interocular_mm",)),
        "openface": Backend("toolkit.features.openface:OpenFacePose", _OPENFACE),
    },
    "au45": {
        "eyelids": Backend("toolkit.features.blink:EyelidAU45"),
        "openface": Backend("toolkit.features.openface:OpenFaceAU45", _OPENFACE),
        "pyfeat": Backend("toolkit.features.pyfeat:PyFeatAU45"),
    },
    "coefficients": {
        "embedded": Backend("toolkit.features.coefficients:FaceModelCoefficients"),
        "deng": Backend("toolkit.features.deng:DengCoefficients", ("deng_checkpoint", "bfm")),
    },
}
"""feature -> backend -> its class and options; the first backend of each is the default, but for
those `OFF`."""

OFF = ("whisper",)
"""Features that are not made unless they are asked for."""


def list_extractors(feature: str) -> list[str]:
    """Names of a feature's backends, the default first where it is not off."""
    if feature not in BACKENDS:
        raise ValueError(f"unknown feature {feature!r}: choose from {', '.join(BACKENDS)}")
    return list(BACKENDS[feature])


def load_class(feature: str, backend: str) -> "type[Extractor]":
    """The class of a feature's backend, its module imported; ValueError for an unknown name."""
    if backend not in list_extractors(feature):
        names = ", ".join(BACKENDS[feature])
        raise ValueError(f"unknown backend {backend!r} of {feature}: choose from {names}, none")
    module, name = BACKENDS[feature][backend].path.split(":")
    found: type[Extractor] = getattr(importlib.import_module(module), name)
    return found


def create_extractor(feature: str, backend: str, **options: object) -> "Extractor":
    """Load a backend of a feature; its options are the keyword arguments of its class."""
    return load_class(feature, backend)(**options)
