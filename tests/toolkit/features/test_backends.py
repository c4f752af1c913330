"""The table of backends: classes, their options, and constants that a version stands for."""

import dataclasses
import inspect

import pytest

from toolkit.features import BACKENDS, load_class
from toolkit.ingest.options import IngestOptions

ALL = [(feature, backend) for feature in BACKENDS for backend in BACKENDS[feature]]


@pytest.mark.parametrize(("feature", "backend"), ALL)
def test_the_table_names_the_options_of_the_constructor(feature: str, backend: str) -> None:
    """In order; each is a field of the options of ingest."""
    options = BACKENDS[feature][backend].options
    assert options == tuple(inspect.signature(load_class(feature, backend)).parameters)
    assert set(options) <= {field.name for field in dataclasses.fields(IngestOptions)}
