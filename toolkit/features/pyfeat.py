"""AU45 from py-feat 2.1 (Cheong et al., Affective Science 2023), where the user has installed it.

py-feat's 20 action units have no AU45. What they have is AU43, eyes closed, as a probability; a
blink is a short AU43, so it is stored times five as `face/au45`, and the provenance says so. Of its
two detectors this is `Detectorv2`: all its weights are safetensors; `Detectorv1` loads classifiers
from a file that may name any Python type.
"""

import contextlib
import importlib.metadata
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
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
from toolkit.storage import hash_file

if TYPE_CHECKING:
    import pandas as pd

BATCH = 64
"""Pictures handed to py-feat at once: what lies in the temporary folder at any moment."""

TRIED = "pip install py-feat==2.1.5"
"""What brings the version that this was tried with."""

_BOX = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"]


FILES = {
    "py-feat/retinaface_r34": "model.safetensors",
    "py-feat/face_multitask_v2": "face_multitask_v28.safetensors",
}
"""What `Detectorv2` without identities loads: repository on huggingface.co -> file."""


class PyFeatAU45(Extractor):
    """Probability of eyes closed (AU43) by py-feat's `Detectorv2`, 0 to 1, times five.

    Pictures reach it as PNG files, which leaves colour order and range in no doubt. A picture that
    is shown twice is measured once.
    """

    arrays = ("face/au45",)

    def __init__(self) -> None:
        """Load py-feat's models; it fetches them on first use.

        Raises:
            SetupError: py-feat is not installed or cannot run, or its models cannot be had.
        """
        import torch

        make_detector, folder = _import_pyfeat()
        weights = _find_weights(folder)
        # py-feat turns gradients off for the whole process; within `no_grad` that ends here
        with torch.no_grad():
            try:
                self._detector: Any = make_detector(
                    device="cpu", identity_model=None, multitask_weights=str(weights[1])
                )
            except Exception as error:
                files = " and ".join(map(str, weights))
                message = f"py-feat cannot load {files}: delete the damaged one ({error})"
                raise SetupError(message) from error
        self._sha256 = hash_file(weights[1])

    def provenance(self) -> Provenance:
        """Version of py-feat, digest of the network that gives AU43, and that this is AU43."""
        return Provenance(
            backend="pyfeat",
            version=importlib.metadata.version("py-feat"),
            weights_sha256=self._sha256,
            note="Detectorv2: probability of AU43 (eyes closed) times 5",
        )

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
            raise SetupError(f"this py-feat gives no {', '.join(missing)}: {TRIED}")
        return _pick_faces(rows, [path.name for path in paths], crop)

    def _detect(self, paths: list[str]) -> "pd.DataFrame":
        rows: pd.DataFrame = self._detector.detect(
            paths, data_type="image", batch_size=1, progress_bar=False
        )
        return rows


def _import_pyfeat() -> tuple[Callable[..., Any], Path]:
    """Its detector's class, and the folder that it keeps weights in."""
    try:
        import feat
        from feat.utils.io import get_resource_path

        return feat.Detectorv2, Path(get_resource_path())
    except ModuleNotFoundError as error:
        name = "py-feat" if error.name == "feat" else f"{error.name}, which py-feat imports,"
        message = f"--au45 pyfeat: {name} is not installed: pip install 'ttk[pyfeat]'"
        raise SetupError(message) from error
    except AttributeError as error:
        raise SetupError(f"this py-feat has no Detectorv2: {TRIED}") from error
    except Exception as error:  # libraries that do not fit raise whatever they like
        line = str(error).partition("\n")[0]
        raise SetupError(
            f"py-feat is there but cannot be imported ({line}): torchvision and torchcodec must be "
            "builds of the same kind as torch (for CPU or CUDA), from the same index"
        ) from error


def _find_weights(folder: Path) -> list[Path]:
    """Paths of `FILES` in py-feat's folder, fetched where they are not there yet."""
    from huggingface_hub import hf_hub_download

    def find(repo: str, only_local: bool) -> Path | None:
        with contextlib.suppress(OSError, ValueError), _quiet_hub():
            file = FILES[repo]
            return Path(hf_hub_download(repo, file, cache_dir=folder, local_files_only=only_local))
        return None

    missing = [repo for repo in FILES if find(repo, only_local=True) is None]
    if not all(find(repo, only_local=False) for repo in missing):
        files = " and ".join(f"{repo}/{FILES[repo]}" for repo in missing)
        raise SetupError(
            f"py-feat's models are not here and cannot be fetched from huggingface.co: {files}; "
            "where there is a network, run 'hf download REPOSITORY FILE --cache-dir FOLDER' for "
            f"each and copy what is then in FOLDER to {folder}"
        )
    return [path for repo in FILES if (path := find(repo, only_local=True))]


@contextlib.contextmanager
def _quiet_hub() -> Iterator[None]:
    """Within, huggingface_hub does not report every try of a download."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


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
