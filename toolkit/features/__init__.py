"""Features: the table of backends, and how to make one.

`create_extractor("au45", "openface", openface_csv=folder)` gives what `--au45 openface` uses.
"""

import importlib

from toolkit.features.base import Extractor

BACKENDS: dict[str, dict[str, str]] = {
    "deepspeech": {
        "embedded": "toolkit.features.deepspeech:DeepSpeech",
        "checkpoint": "toolkit.features.deepspeech:DeepSpeechCheckpoint",
    },
    "pose": {
        "mesh": "toolkit.features.pose:MeshPose",
        "openface": "toolkit.features.openface:OpenFacePose",
    },
    "au45": {
        "eyelids": "toolkit.features.blink:EyelidAU45",
        "openface": "toolkit.features.openface:OpenFaceAU45",
        "pyfeat": "toolkit.features.pyfeat:PyFeatAU45",
    },
    "coefficients": {
        "embedded": "toolkit.features.coefficients:FaceModelCoefficients",
        "deng": "toolkit.features.deng:DengCoefficients",
    },
}
"""feature -> backend -> "module:Class"; the first backend of each is the default."""


def list_extractors(feature: str) -> list[str]:
    """Names of a feature's backends, the default first."""
    if feature not in BACKENDS:
        raise ValueError(f"unknown feature {feature!r}: choose from {', '.join(BACKENDS)}")
    return list(BACKENDS[feature])


def create_extractor(feature: str, backend: str, **options: object) -> Extractor:
    """Load a backend of a feature; its options are the keyword arguments of its class."""
    if backend not in list_extractors(feature):
        known = ", ".join(BACKENDS[feature])
        raise ValueError(f"unknown backend {backend!r} of {feature}: choose from {known}, none")
    module, name = BACKENDS[feature][backend].split(":")
    extractor: Extractor = getattr(importlib.import_module(module), name)(**options)
    return extractor
