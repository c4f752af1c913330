"""AU45 from py-feat (Cheong et al., Affective Science 2023), where the user has installed it.

py-feat has no AU45. What it has is AU43, eyes closed, as a probability; a blink is a short AU43,
so it is stored times five as `face/au45`, and the provenance says so.
"""

import importlib.metadata
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toolkit.errors import SetupError, SourceError
from toolkit.features.base import Arrays, Extractor
from toolkit.features.openface import fill_invalid
from toolkit.mesh import MAX_AU45
from toolkit.schema import ClipInput, Provenance, Reason

if TYPE_CHECKING:
    import pandas as pd

BATCH = 64
"""Pictures handed to py-feat at once: what lies in the temporary folder at any moment."""

_BOX = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"]


class PyFeatAU45(Extractor):
    """Eyes closed (AU43) by py-feat's default models, 0 to 1, times five.

    Pictures reach it as PNG files: the one way in that every version since 0.6 has, and that
    leaves colour order and range in no doubt. A picture that is shown twice is measured once.
    """

    arrays = ("face/au45",)

    def __init__(self) -> None:
        """Load py-feat's models; it fetches them on first use.

        Raises:
            SetupError: py-feat is not installed or its models cannot be loaded.
        """
        try:
            from feat import Detector
        except ImportError as error:
            message = f"--au45 pyfeat needs py-feat ({error}): pip install 'ttk[pyfeat]'"
            raise SetupError(message) from error
        try:
            self._detector: Any = Detector()
        except Exception as error:
            raise SetupError(f"py-feat cannot load its models: {error}") from error

    def provenance(self) -> Provenance:
        """Version of py-feat, and that this is AU43."""
        try:
            version = importlib.metadata.version("py-feat")
        except importlib.metadata.PackageNotFoundError:
            version = "unknown"
        return Provenance(backend="pyfeat", version=version, note="AU43 (eyes closed) times 5")

    def extract(self, clip: ClipInput) -> Arrays:
        """`face/au45` (n,) float32 and `face/valid`; frames without the face are interpolated."""
        new = np.diff(clip.source_index, prepend=-2) != 0
        pictures = (
            picture for picture, is_new in zip(clip.read_frames(), new, strict=True) if is_new
        )
        scores = np.concatenate([self._measure(batch, clip.crop) for batch in _batches(pictures)])
        au45 = scores[np.cumsum(new) - 1] * MAX_AU45
        valid = np.isfinite(au45)
        if not valid.any():
            raise SourceError(Reason.FAILED, f"py-feat finds no face in {clip.path}")
        au45 = np.clip(fill_invalid(au45, valid), 0.0, MAX_AU45)
        return {"face/au45": au45.astype(np.float32), "face/valid": valid}

    def _measure(
        self, pictures: list[npt.NDArray[np.uint8]], crop: tuple[float, float, float, float]
    ) -> npt.NDArray[np.float64]:
        """AU43 of the face in the crop in each picture, NaN where there is none."""
        from PIL import Image

        with tempfile.TemporaryDirectory(prefix="ttk-pyfeat-") as folder:
            paths = [Path(folder) / f"{i:06d}.png" for i in range(len(pictures))]
            for path, picture in zip(paths, pictures, strict=True):
                Image.fromarray(picture).save(path, compress_level=1)
            rows = self._detect([str(path) for path in paths])
        missing = [name for name in ("AU43", "input", *_BOX) if name not in rows.columns]
        if missing:
            raise SetupError(f"this py-feat gives no {', '.join(missing)}: use version 0.6 to 1.0")
        return _pick_faces(rows, [path.name for path in paths], crop)

    def _detect(self, paths: list[str]) -> "pd.DataFrame":
        if hasattr(self._detector, "detect"):
            rows: pd.DataFrame = self._detector.detect(
                paths, data_type="image", batch_size=1, progress_bar=False
            )
            return rows
        rows = self._detector.detect_image(paths, batch_size=1)
        return rows


def _batches(
    pictures: Iterable[npt.NDArray[np.uint8]],
) -> Iterator[list[npt.NDArray[np.uint8]]]:
    iterator = iter(pictures)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _pick_faces(
    rows: "pd.DataFrame", names: list[str], crop: tuple[float, float, float, float]
) -> npt.NDArray[np.float64]:
    """AU43 of the face whose box's middle is in the crop and nearest its middle, per picture."""
    box = rows[_BOX].to_numpy(dtype=np.float64)
    center = box[:, :2] + box[:, 2:] / 2
    low, high = np.array(crop[:2]), np.array(crop[2:])
    distance = np.linalg.norm(center - (low + high) / 2, axis=1)
    scores = rows["AU43"].to_numpy(dtype=np.float64)
    distance[~((center >= low) & (center <= high)).all(axis=1) | ~np.isfinite(scores)] = np.inf
    picture = np.array([Path(str(name)).name for name in rows["input"]])
    picked = np.full(len(names), np.nan)
    for i, name in enumerate(names):
        candidates = np.flatnonzero(picture == name)
        if len(candidates) and np.isfinite(distance[candidates]).any():
            picked[i] = scores[candidates[np.argmin(distance[candidates])]]
    return picked
