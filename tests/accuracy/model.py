"""How well the face model represents people it was not built from."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from tests.accuracy.people import find_person
from tests.accuracy.real import RealClip
from toolkit.facemodel.learning.build import read_clip
from toolkit.facemodel.learning.population import gather_faces, leave_one_out


def measure_model(clips: Iterable[RealClip]) -> list[dict[str, Any]]:
    """Residual across the line of sight, mm, of every person by a model of the others."""
    faces = [
        replace(read_clip(clip.reader, clip.index), identity=person)
        for clip in clips
        if (person := find_person(clip.name))
    ]
    left = leave_one_out(gather_faces(iter(faces)))
    table = np.array(list(left.values()))
    rows = {
        "root mean square over people": np.sqrt((table**2).mean(0)),
        "best person": table.min(0),
        "worst person": table.max(0),
    }
    return [
        {
            "": name,
            "people": len(table),
            "mean shape": float(row[0]),
            "with identity": float(row[1]),
            "with identity and expression": float(row[2]),
        }
        for name, row in rows.items()
    ]
