"""Pictures of clips for a report: a strip of a few frames each, as small JPEGs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from toolkit.errors import ToolkitError
from toolkit.page import embed_picture, escape
from toolkit.preview.clip import read_clip
from toolkit.preview.render import choose_frames, draw_face
from toolkit.report.pick import Pick

NUM_FRAMES, SIDE, QUALITY = 4, 112, 80
"""Of a strip: frames, their side in px, JPEG's quality."""


def draw_strip(dataset: Path, pick: Pick) -> bytes:
    """Frames of a clip at even distances, side by side: JPEG, at most 448 × 112 px.

    Where no frames are stored, the mesh is drawn on grey.

    Raises:
        ToolkitError: the shard is missing, damaged or not the manifest's.
    """
    import simplejpeg

    clip = read_clip(pick.clip_id, dataset / pick.shard, pick.index)
    frames = choose_frames(clip.num_frames, NUM_FRAMES)
    stored = clip.shard is not None and clip.shard.frame_size
    draw = clip.read_picture if stored else lambda t, side: draw_face(clip, t, side)
    strip = np.concatenate([draw(t, SIDE) for t in frames], axis=1)
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(strip), quality=QUALITY))


def show_strips(dataset: Path, picks: Sequence[Pick]) -> str:
    """Markup of the clips' strips under one another; where there is no picture, why."""
    figures = []
    for pick in picks:
        doubts = f": {', '.join(pick.doubts)}" if pick.doubts else ""
        caption = f"{pick.short_id}, {pick.identity}, rank {pick.rank:.2f}{doubts}"
        try:
            figures.append(embed_picture(draw_strip(dataset, pick), "jpeg", caption, "strip"))
        except ToolkitError as error:
            figures.append(
                f"<p class=note>{escape(caption)}: no picture ({escape(str(error))})</p>"
            )
    return "".join(figures)
