"""Faces of suspects side by side, for a person to look at."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from toolkit.dataset.find import shorten_ids
from toolkit.names import write_name
from toolkit.preview.draw import BACKGROUND
from zoo.evaluation.clip_faces import ClipFace
from zoo.evaluation.figures import write_sheet
from zoo.evaluation.suspects import Suspects
from zoo.training.face_alignment import Picture, align_face
from zoo.training.face_network import SIDE

NUM_ROWS = 40
"""Suspects on a sheet at most, of each kind half."""

_FACES = 4
"""Of each name in a row."""


def draw_suspects(suspects: Suspects, clips: Sequence[ClipFace], target: Path) -> int:
    """Write a row of faces for each suspect, .png; a space parts one name's from another's.

    Two names: faces of both. A clip: its own, those of its name's others, those of the nearest
    name.

    Args:
        suspects: of these clips; some, or nothing is written.
        clips: as they were compared.
        target: the file.

    Returns:
        Suspects that had a row.

    Raises:
        ShardError: a picture is damaged.
        StorageError: the disk refuses.
    """
    by_name: dict[str, list[ClipFace]] = {}
    for clip in clips:
        by_name.setdefault(clip.part.clip.identity, []).append(clip)
    short = shorten_ids(clip.part.clip.id for clip in clips)
    rows: dict[str, list[Picture]] = {}
    for pair in suspects.alike[: NUM_ROWS // 2]:
        title = f"{pair.distance:.2f}   {' | '.join(map(write_name, pair.identities))}"
        rows[title] = _lay_out(by_name[name] for name in pair.identities)
    for found in suspects.distant[: NUM_ROWS // 2]:
        clip = clips[found.clip]
        others = [each for each in by_name[found.identity] if each is not clip]
        title = f"{found.distance:.2f}   {short[clip.part.clip.id]} of {write_name(found.identity)}"
        groups = [[clip], others]
        if found.nearest_distance is not None:
            title += f" | {found.nearest_distance:.2f} {write_name(found.nearest)}"
            groups.append(by_name[found.nearest])
        rows[title] = _lay_out(groups)
    if rows:
        write_sheet(rows, target)
    return len(rows)


def _lay_out(groups: Iterable[Sequence[ClipFace]]) -> list[Picture]:
    """Faces of each group, and an empty place between two of them."""
    blank = np.full((SIDE, SIDE, 3), BACKGROUND, np.uint8)
    row = list[Picture]()
    for group in groups:
        shown = [(clip, frame) for clip in group for frame in clip.frames]
        places = np.unique(np.linspace(0, len(shown) - 1, _FACES).round().astype(int))
        row += [blank] * bool(row) + [_cut(*shown[place]) for place in places]
    return row


def _cut(clip: ClipFace, frame: int) -> Picture:
    part = clip.part
    picture = part.reader.frame(part.index, part.first + frame)
    return align_face(picture, part.read("face/landmarks")[frame])
