"""A population of faces: from clips of several people to the statistics that make a model.

`gather_faces` samples frames, reconstructs shapes and poses and lifts the meshes into the heads'
axes; `learn_model` makes the bases; `leave_one_out` says how well they fit people they were not
made from. Legend: n frames, V vertices, I people.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.fit import DEPTH_WEIGHT, ShapeFitter, lift, strip_blink
from toolkit.facemodel.learning.learn import (
    EXPRESSION_BACKGROUND,
    Samples,
    learn_blink,
    make_basis,
    smooth_background,
    unseen_variance,
    weigh_by_person,
)
from toolkit.facemodel.learning.learn_colors import Portrait, learn_textures
from toolkit.facemodel.learning.reconstruct import (
    Reconstruction,
    Views,
    choose_rigid,
    choose_steady,
    reconstruct,
    superimpose,
)
from toolkit.facemodel.model import (
    NUM_EXPRESSION,
    NUM_IDENTITY,
    NUM_TEXTURE,
    FaceModel,
    orient_outward,
)
from toolkit.facemodel.topology import list_triangles
from toolkit.features.pose import measure_iris
from toolkit.mesh import LANDMARKS68, NUM_VERTICES

Floats = npt.NDArray[np.float64]

FRAMES_PER_PERSON = 160
"""Frames of a person, evenly over all clips, that the shape and its statistics see."""

MIN_IRIS = 8.0
"""Median iris diameter (px) under which a clip is too coarse to learn shape from."""

MAX_YAW = 0.5
"""Yaw (rad) up to which a frame counts for the expression."""

LICENCE = "Apache-2.0: a statistic of the clips listed; it contains no picture"


@dataclass(frozen=True, kw_only=True)
class FaceClip:
    """One clip of one person, as the builder sees it.

    Attributes:
        name: to be recorded.
        identity: person.
        landmarks: (n, 478, 3) px of the picture.
        intrinsics: fx, fy, cx, cy.
        color_frames: (m,) frames that have colours.
        colors: (m, 468, 3) uint8 RGB at the mesh's vertices.
    """

    name: str
    identity: str
    landmarks: npt.NDArray[np.float32]
    intrinsics: tuple[float, float, float, float]
    color_frames: npt.NDArray[np.int64]
    colors: npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Faces:
    """What the statistics are made from: sharp clips, their sampled frames, what those show.

    Attributes:
        clips: those used.
        people: names, by index.
        views: the sampled frames.
        found: mean shape, shapes, poses.
        lifted: (n, V, 3) the sampled frames in the head's axes, mm.
        usable: (n,) frames near enough to frontal.
    """

    clips: list[FaceClip]
    people: list[str]
    views: Views
    found: Reconstruction
    lifted: Floats
    usable: npt.NDArray[np.bool_]


def build_model(clips: Iterable[FaceClip]) -> FaceModel:
    """The face model of clips of several people.

    Raises:
        ValueError: fewer than two people in clips sharp enough, or no blinks.
    """
    faces = gather_faces(clips)
    return learn_model(faces, np.arange(len(faces.people)))


def gather_faces(clips: Iterable[FaceClip]) -> Faces:
    """Sample, reconstruct and lift: everything before the statistics."""
    sharp = [c for c in clips if len(c.landmarks) and _is_sharp(c)]
    people = sorted({clip.identity for clip in sharp})
    if len(people) < 2:
        raise ValueError(f"{len(people)} people in clips sharp enough: a model needs several")
    views = _sample_views(sharp, people)
    found = reconstruct(views)
    rigid = np.flatnonzero(choose_rigid(found.mean_shape))
    own = found.shapes[views.person]
    lifted = lift(views.landmarks, found.pose, views.intrinsics, own, rigid)
    weights = choose_rigid(found.mean_shape)
    for k in views.people:
        mine = views.person == k
        _, lifted[mine] = superimpose(lifted[mine], found.shapes[k], weights)
    usable = np.abs(found.pose[:, 1]) < MAX_YAW
    return Faces(clips=sharp, people=people, views=views, found=found, lifted=lifted, usable=usable)


def learn_model(faces: Faces, chosen: npt.NDArray[np.int64]) -> FaceModel:
    """The statistics of some of the people (indices into `faces.people`)."""
    found, person = faces.found, faces.views.person
    shapes = found.shapes[chosen]
    mean = shapes.mean(axis=0) if len(chosen) < len(faces.people) else found.mean_shape
    mean = (mean + mean[found.mirror] * (-1.0, 1.0, 1.0)) / 2
    triangles = orient_outward(mean, list_triangles(found.mirror))
    mine = faces.usable & np.isin(person, chosen)
    blink = learn_blink(mean, faces.lifted[mine], person[mine], found.mirror)
    expression = _learn_expression(faces.lifted[mine], person[mine], blink, triangles, found.mirror)
    identity, unseen = _learn_identity(shapes - mean, expression, triangles, found.mirror)
    portraits = _take_portraits(faces, chosen, triangles)
    mean_texture, texture = learn_textures(portraits, triangles, found.mirror, NUM_TEXTURE)
    return FaceModel(
        mean_shape=mean.astype(np.float32),
        mean_texture=mean_texture.astype(np.float32),
        identity=identity.astype(np.float32),
        expression=expression.astype(np.float32),
        texture=texture.astype(np.float32),
        blink=blink.astype(np.float32),
        triangles=triangles,
        keypoints=np.array(LANDMARKS68),
        rigidity=choose_rigid(mean).astype(np.float32),
        steadiness=choose_steady(mean).astype(np.float32),
        record=_describe(faces, chosen, int(mine.sum()), unseen),
    )


def leave_one_out(faces: Faces) -> dict[str, tuple[float, float, float]]:
    """How well each person is represented by a model of the others.

    Returns:
        Name -> root mean square over vertices and frames, mm across the line of sight, of the
        mean shape alone, with the identity fitted, and with identity and expression.
    """
    every = np.arange(len(faces.people))
    left: dict[str, tuple[float, float, float]] = {}
    for k, name in enumerate(faces.people):
        fitter = ShapeFitter(learn_model(faces, every[every != k]))
        rows = [
            fitter.explain(c.landmarks[:: _step(c)], c.intrinsics)
            for c in faces.clips
            if c.identity == name
        ]
        mean, identity, full = np.sqrt((np.concatenate(rows) ** 2).mean(axis=0))
        left[name] = float(mean), float(identity), float(full)
    return left


# --- steps --------------------------------------------------------------------------------------


def _is_sharp(clip: FaceClip) -> bool:
    return float(np.median(measure_iris(clip.landmarks.astype(np.float64)))) >= MIN_IRIS


def _step(clip: FaceClip) -> int:
    return max(1, len(clip.landmarks) // 60)


def _sample_views(clips: list[FaceClip], people: list[str]) -> Views:
    total = {p: sum(len(c.landmarks) for c in clips if c.identity == p) for p in people}
    landmarks, intrinsics, person = [], [], []
    for clip in clips:
        n = len(clip.landmarks)
        count = max(1, min(n, round(FRAMES_PER_PERSON * n / total[clip.identity])))
        rows = np.unique(np.linspace(0, n - 1, count).round().astype(np.int64))
        landmarks.append(clip.landmarks[rows].astype(np.float64))
        intrinsics.append(np.repeat(np.array([clip.intrinsics], np.float64), len(rows), axis=0))
        person.append(np.full(len(rows), people.index(clip.identity)))
    return Views(
        landmarks=np.concatenate(landmarks),
        intrinsics=np.concatenate(intrinsics),
        person=np.concatenate(person).astype(np.int64),
    )


def _learn_expression(
    lifted: Floats,
    person: npt.NDArray[np.int64],
    blink: Floats,
    triangles: npt.NDArray[np.int64],
    mirror: npt.NDArray[np.int64],
) -> Floats:
    """Basis (V, 3, 64) of what moves about each person's own mean, blinks taken out."""
    moved = lifted.copy()
    for k in np.unique(person):
        moved[person == k] -= lifted[person == k].mean(axis=0)
    samples = Samples(displacement=strip_blink(moved, blink), weights=weigh_by_person(person))
    variance = float(samples.weights @ (samples.displacement**2).sum(axis=(1, 2)))
    background = smooth_background(triangles, EXPRESSION_BACKGROUND * variance)
    V, J = len(blink), background.shape[2]
    background = strip_blink(background.transpose(2, 0, 1), blink).transpose(1, 2, 0)
    basis = make_basis(
        samples, background.reshape(V, 3, J), NUM_EXPRESSION, mirror, (1.0, 1.0, DEPTH_WEIGHT)
    )
    # The weighted eigenproblem turns stripped rows back a little towards the blink's depth.
    return strip_blink(basis.transpose(2, 0, 1), blink).transpose(1, 2, 0)


def _learn_identity(
    moved: Floats,
    expression: Floats,
    triangles: npt.NDArray[np.int64],
    mirror: npt.NDArray[np.int64],
) -> tuple[Floats, float]:
    """Basis (V, 3, 80) of how people differ, and the variance (mm²) that is background."""
    people = np.arange(len(moved))
    samples = Samples(displacement=moved, weights=weigh_by_person(people))
    axes = (1.0, 1.0, DEPTH_WEIGHT)
    unseen = unseen_variance(samples, people, np.array(axes))
    background = smooth_background(triangles, unseen)
    return make_basis(samples, background, NUM_IDENTITY, mirror, axes), unseen


def _take_portraits(
    faces: Faces, chosen: npt.NDArray[np.int64], triangles: npt.NDArray[np.int64]
) -> list[Portrait]:
    names = {faces.people[k]: k for k in chosen}
    return [
        Portrait.take(
            person=names[clip.identity],
            colors=clip.colors,
            landmarks=clip.landmarks[clip.color_frames],
            intrinsics=clip.intrinsics,
            shape=faces.found.shapes[names[clip.identity]],
            triangles=triangles,
        )
        for clip in faces.clips
        if clip.identity in names and len(clip.colors)
    ]


def _describe(
    faces: Faces, chosen: npt.NDArray[np.int64], frames: int, unseen: float
) -> dict[str, Any]:
    people = [faces.people[k] for k in chosen]
    return {
        "licence": LICENCE,
        "method": "toolkit.facemodel.learning.build",
        "topology": "MediaPipe face mesh, 468 vertices (Apache-2.0)",
        "people": len(people),
        "clips": sorted(c.name for c in faces.clips if c.identity in people),
        "frames": frames,
        "identity_background_mm": float(np.sqrt(unseen / NUM_VERTICES)),
    }
