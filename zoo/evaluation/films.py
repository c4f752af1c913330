"""Films of a clip that any build or system drew, beside what is real.

Two kinds: crops beside the stored frames, and whole pictures beside the source's.

Legend: n frames of a clip, m of them judged; H, W height and width of a picture.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from toolkit.features.matte import measure_matte
from toolkit.media.decode import read_frames
from toolkit.media.video import probe
from zoo.data.frames import RenderClip
from zoo.evaluation.recognition import NUM_FACES, open_recogniser
from zoo.evaluation.videos import Shown, hide_outside
from zoo.metrics.edges import measure_border_step, measure_ring_error
from zoo.metrics.identity import measure_distance
from zoo.metrics.pictures import Picture

Floats = npt.NDArray[np.float64]

SOFT = 1 / 12
"""Width of the soft border of a pasted square, over its side."""

RING, ACROSS, BESIDE = "ring", "across", "beside"


def read_film(path: Path, num_frames: int) -> Iterator[Picture]:
    """All pictures (H, W, 3) of a video in order.

    Raises:
        ToolkitError: it has not `num_frames` of them, or cannot be decoded.
    """
    info, streams = probe(path)
    number = 0
    for frame in read_frames(path, info, streams, size=(info.width, info.height)):
        number += 1
        if number <= num_frames:
            yield frame.picture
    if number != num_frames:
        raise ToolkitError(f"{path}: {number} frames, not the clip's {num_frames}: draw it anew")


def measure_likeness(
    pictures: Iterable[Picture], clip: RenderClip, shown: Shown, stored: Shown
) -> Floats:
    """(k,) distances of faces to the stored ones as dlib's recogniser sees them; NaN without one.

    Of at most `NUM_FACES` judged frames, evenly over them.

    Args:
        pictures: (H, H, 3), n of them.
        clip: of which they are.
        shown: what they show.
        stored: what the stored frames show.

    Raises:
        SetupError: the recogniser's weights are missing.
    """
    from zoo.evaluation.identity import describe_faces

    judged = range(clip.num_frames)[shown.part]
    if not judged:
        return np.empty(0)
    chosen = np.unique(np.linspace(judged[0], judged[-1], NUM_FACES).round().astype(int)).tolist()
    drawn = [picture for t, picture in enumerate(pictures) if t in chosen]
    real = [hide_outside(clip.read_frame(t), clip) for t in chosen]
    network = open_recogniser()
    pred = describe_faces(network, drawn, shown.meshes[chosen])
    target = describe_faces(network, real, stored.meshes[chosen])
    return measure_distance(pred, target)


def measure_edges(
    pictures: Iterable[Picture],
    sources: Iterable[Picture],
    crop: Sequence[float],
    part: slice,
    num_frames: int,
) -> dict[str, Floats]:
    """How a drawn head sits in the source's picture, in each judged frame; levels of 255.

    Args:
        pictures: (H, W, 3) with the head in them, n of them; a last row or column too many, as
            encoders need them, is left out.
        sources: the source's own.
        crop: xyxy px of the square that was drawn.
        part: which frames are judged.
        num_frames: n.

    Returns:
        `ring` (m,): mean error in the ring around the person, as far as the square reaches;
        `across` and `beside` (m,): of the square's soft border, see `measure_border_step`.
    """
    judged, found = range(num_frames)[part], list[tuple[float, float, float]]()
    for t, (picture, real) in enumerate(zip(pictures, sources, strict=True)):
        if t in judged:
            found.append(_measure_edge(picture[: len(real), : real.shape[1]], real, crop))
    ring, across, beside = np.array(found, np.float64).reshape(-1, 3).T
    return {RING: ring, ACROSS: across, BESIDE: beside}


def _measure_edge(
    picture: Picture, real: Picture, crop: Sequence[float]
) -> tuple[float, float, float]:
    x0, y0, x1, y1 = (max(0, round(value)) for value in crop)
    cut = np.s_[y0:y1, x0:x1]
    matte = measure_matte(real)
    ring = measure_ring_error(picture[cut], real[cut], matte[cut])
    step = measure_border_step(picture, crop, SOFT * (crop[2] - crop[0]))
    return ring, step.across, step.beside
