"""The backends one set of options asks for, loaded once per process and run in order."""

import contextlib
import dataclasses
import functools
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from toolkit.errors import SetupError, explain_import
from toolkit.features import BACKENDS, create_extractor
from toolkit.features.base import Arrays, Extractor
from toolkit.features.landmarks import FaceMesh
from toolkit.ingest.options import IngestOptions
from toolkit.memory import require_memory
from toolkit.schema import ClipInput, Provenance

WHOLE_SOURCE = ("pose", "au45")
"""Features that see all clips of a source before any is finished: small arrays, in this order."""

PER_CLIP = ("deepspeech", "whisper", "coefficients")


class Backends:
    """The face mesh and one extractor per feature that is not switched off."""

    def __init__(self, options: IngestOptions) -> None:
        """Load every model; SetupError says what is missing and how to get it.

        ValueError names an option that does nothing with the backends chosen.
        """
        _check_used(options)
        self.mesh = FaceMesh()
        self._extractors = {
            feature: _load(feature, options)
            for feature in (*WHOLE_SOURCE, *PER_CLIP)
            if getattr(options, feature) != "none"
        }

    def provenance(self) -> dict[str, Provenance]:
        """What made each feature, for the shard's record."""
        made = {name: extractor.provenance() for name, extractor in self._extractors.items()}
        return {"landmarks": self.mesh.provenance(), **made}

    def extract_source(self, clips: Sequence[ClipInput]) -> dict[str, Exception]:
        """Add what is calibrated over a whole source to every clip's arrays.

        Returns:
            Clip id -> what was raised, for the clips that cannot be used.
        """
        require_memory()
        failed: dict[str, Exception] = {}
        for feature in WHOLE_SOURCE:
            if extractor := self._extractors.get(feature):
                good = [clip for clip in clips if clip.clip_id not in failed]
                extractor.fit(good)
                for clip in good:
                    try:
                        _add(clip, extractor.extract(clip))
                    except Exception as error:
                        failed[clip.clip_id] = error
        return failed

    def extract_clip(self, clip: ClipInput) -> None:
        """Add the rest to one clip's arrays."""
        require_memory()
        for feature in PER_CLIP:
            if extractor := self._extractors.get(feature):
                extractor.fit([clip])
                _add(clip, extractor.extract(clip))


@functools.lru_cache(maxsize=1)
def load_backends(options: IngestOptions) -> Backends:
    """The process's backends, loaded once."""
    with one_thread():
        return Backends(options)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread for every library inside: workers are what runs side by side.

    More of them would spin for nothing, and change the last bits of sums with their number.
    PyTorch, which takes seconds to load, is left alone where no backend has loaded it.
    """
    try:
        import cv2
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise SetupError(explain_import(error)) from error
    libraries = [(cv2.getNumThreads, cv2.setNumThreads)]
    if torch := sys.modules.get("torch"):
        libraries.append((torch.get_num_threads, torch.set_num_threads))
    saved = [get() for get, _ in libraries]
    try:
        for _, change in libraries:
            change(1)
        with threadpool_limits(1):
            yield
    finally:
        for number, (_, change) in zip(saved, libraries, strict=True):
            change(number)


def _check_used(options: IngestOptions) -> None:
    """ValueError for an option that none of the backends chosen takes: it would do nothing."""
    taken = {"focal", "audio_track"}.union(
        *(_list_options(feature, options) for feature in BACKENDS)
    )
    for field in dataclasses.fields(options):
        is_set = field.default is None and getattr(options, field.name) is not None
        if is_set and field.name not in taken:
            flag, text = field.name.replace("_", "-"), field.metadata["help"]
            raise ValueError(f"--{flag} is taken by none of the backends chosen: {text}")


def _list_options(feature: str, options: IngestOptions) -> tuple[str, ...]:
    """The options that the chosen backend of a feature takes."""
    backend = getattr(options, feature)
    return () if backend == "none" else BACKENDS[feature][backend].options


def _load(feature: str, options: IngestOptions) -> Extractor:
    """Make an extractor with those of the options that it takes."""
    values = {name: getattr(options, name) for name in _list_options(feature, options)}
    return create_extractor(feature, getattr(options, feature), **values)


def _add(clip: ClipInput, arrays: Arrays) -> None:
    valid = arrays.pop("face/valid", None)
    if valid is not None:
        clip.arrays["face/valid"] = np.logical_and(clip.arrays["face/valid"], valid)
    clip.arrays.update(arrays)
