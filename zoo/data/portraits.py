"""Pictures of a person with their face meshes: from a folder of pictures, or from a video.

Faces are measured as ingest measures them, and crops are cut by its rule, so that what a network
was trained on and what it is given look alike. Which pictures are the best is said at
`choose_best`.

Legend: n pictures.
"""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.dataset.rows import measure_sharpness
from toolkit.errors import SourceError, ToolkitError
from toolkit.features.landmarks import FaceMesh, Mesh, find_box
from toolkit.ingest.clips import SECOND_FACE, choose_crop
from toolkit.ingest.shots import ShotDetector
from toolkit.media.decode import read_frames
from toolkit.media.video import MAX_SIDE, fit_size, probe
from toolkit.schema import NOMINAL_SIZE
from zoo.data.picture_files import Picture, is_picture, list_pictures, read_picture
from zoo.data.source import describe_backend
from zoo.landmarks.align import measure_turn, view68
from zoo.landmarks.spread import choose_spread

Crop = tuple[int, int, int, int]

MOST = 200
"""Pictures of a folder, evenly spaced by name, or frames of a video that are looked at, at most."""

LEAST_STEP = 0.1
"""Seconds between two frames of a video that are looked at, at least."""

LONGEST = 600.0
"""Seconds of a video, from its beginning, that are looked at."""

PROFILE = 40.0
"""Degrees from which on a head is turned too far to be drawn from the front."""

_EARLY = 1e-3
"""Seconds by which a frame may be early: stamps are rounded."""

_SAME = 0.25
"""Mean distance of two meshes of one face, over its height, at most."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Take:
    """One take of a video: where its pictures were cut.

    Attributes:
        crop: xyxy, px of the video's picture.
        first, last: s, of the first and the last frame that was looked at.
    """

    crop: Crop
    first: float
    last: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Portraits:
    """Pictures of one person.

    Attributes:
        path: the folder, video or picture.
        names: (n,) of each: its file, or its time in the video.
        pictures: (n, 256, 256, 3) uint8 RGB, cut around the face as ingest cuts.
        meshes: (n, 478, 3) float32 px of these pictures.
        take: of the video, or None.
        backend: what measured the meshes.
    """

    path: Path
    names: tuple[str, ...]
    pictures: Picture
    meshes: npt.NDArray[np.float32]
    take: Take | None
    backend: str

    def __len__(self) -> int:
        """How many, n."""
        return len(self.names)

    @property
    def person(self) -> str:
        """What the person is called: the folder's or the file's name."""
        return self.path.resolve().name if self.path.is_dir() else self.path.stem


def measure_portraits(path: Path) -> Portraits:
    """What a folder of pictures, a video or one picture shows of a person.

    Of several faces the largest counts where the next is not half as high; pictures where it is,
    or without a face, are left out with a warning. Of a video's takes that with the most faces is
    read, and its first ten minutes. Warns of a single picture, and where no head looks this way.

    Raises:
        ToolkitError: no such file, none that can be read, no face, or always several.
    """
    if not path.exists():
        raise ToolkitError(f"{path}: no such folder, video or picture")
    is_video = path.is_file() and not is_picture(path)
    try:
        found = _measure_video(path) if is_video else _measure_files(path)
    except SourceError as error:
        raise ToolkitError(f"{path}: {error}") from error
    turns = measure_turn(found.meshes)
    if len(found) == 1:
        warnings.warn(f"{path}: one picture alone: twenty give a better likeness", stacklevel=2)
    if (turns > PROFILE).all():
        text = f"{path}: the head is turned by {turns.min():.0f}° or more in every picture: "
        warnings.warn(f"{text}add some from the front", stacklevel=2)
    return found


@dataclass(frozen=True, eq=False, kw_only=True)
class Portrait:
    """One picture of one person.

    Attributes:
        picture: (h, w, 3) uint8 RGB, the whole of it.
        crop: xyxy px of it, as ingest cuts around the face.
        shown: (256, 256, 3) uint8 RGB, the crop.
        mesh: (478, 3) float32 px of the crop.
        backend: what measured the mesh.
    """

    picture: Picture
    crop: Crop
    shown: Picture
    mesh: npt.NDArray[np.float32]
    backend: str


def measure_portrait(path: Path) -> Portrait:
    """What one picture shows of a person; which face counts, as in `measure_portraits`.

    Warns of a head that is turned far.

    Raises:
        ToolkitError: no such file, none that can be read, no face, or several.
    """
    if not path.is_file():
        what = "a folder" if path.exists() else "no such file"
        raise ToolkitError(f"{path}: {what}: give one picture")
    if not is_picture(path):
        raise ToolkitError(f"{path}: no picture: give one, such as .jpg, .png or .webp")
    picture, mesh, counts = read_picture(path), FaceMesh(), _Counts(path, "pictures")
    face = counts.choose(find_faces(mesh, picture))
    counts.settle(int(face is not None))
    assert face is not None  # settle raises otherwise
    crop = choose_crop(find_box(face)[None], (picture.shape[1], picture.shape[0]))
    turn = float(measure_turn(face[None])[0])
    if turn > PROFILE:
        text = f"{path}: the head is turned by {turn:.0f}°: give a picture from the front"
        warnings.warn(text, stacklevel=2)
    return Portrait(
        picture=picture,
        crop=crop,
        shown=cut_picture(picture, crop),
        mesh=to_crop(face, crop),
        backend=describe_backend(mesh.provenance()),
    )


def choose_best(portraits: Portraits, number: int) -> npt.NDArray[np.int64]:
    """The pictures (k,), in order, that show a person best: at most so many.

    Sharpness is the variance of the Laplacian at 256 px, over the median of all pictures and 1 at
    most; frontality is the cosine of the angle between the face's axis and the camera's. Of the
    half of the pictures with the highest product of both, or as many as are asked for where that
    is more, those are taken whose landmarks differ most, see `choose_spread`.
    """
    sharpness = np.array([measure_sharpness(picture) for picture in portraits.pictures])
    sharp = np.minimum(sharpness / max(float(np.median(sharpness)), 1e-9), 1)
    quality = sharp * np.cos(np.radians(measure_turn(portraits.meshes)))
    kept = max(number, len(portraits) // 2)
    best = np.sort(np.argsort(-quality, kind="stable")[:kept])
    return np.asarray(best[choose_spread(view68(portraits.meshes[best]), number)], np.int64)


def find_faces(mesh: FaceMesh, picture: Picture) -> list[Mesh]:
    """Meshes (478, 3) px in a picture by itself, the highest first, at most two.

    As ingest finds them in the first frame of a take: fed three times, and confirmed.
    """
    longest = max(picture.shape)
    scale = min(1.0, MAX_SIDE / longest)
    seen = picture
    if scale < 1:
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        seen = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    mesh.reset()
    faces = [face for face in mesh.start(seen) if mesh.confirm(seen, face)]
    faces = faces or mesh.search(seen)[0]
    back = np.float32(picture.shape[1] / seen.shape[1])
    faces = sorted((face * back for face in faces), key=_height, reverse=True)
    return [face for place, face in enumerate(faces) if not _is_one_of(face, faces[:place])]


def cut_picture(picture: Picture, crop: Crop) -> Picture:
    """The crop (256, 256, 3) of a picture (h, w, 3); its border goes on outside."""
    x0, y0, x1, y1 = crop
    height, width = picture.shape[:2]
    around = (max(0, -y0), max(0, y1 - height), max(0, -x0), max(0, x1 - width))
    inside = picture[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
    if any(around):
        inside = np.asarray(cv2.copyMakeBorder(inside, *around, cv2.BORDER_REPLICATE), np.uint8)
    how = cv2.INTER_AREA if x1 - x0 > NOMINAL_SIZE else cv2.INTER_CUBIC
    size = (NOMINAL_SIZE, NOMINAL_SIZE)
    return np.asarray(cv2.resize(inside, size, interpolation=how), np.uint8)


def to_crop(meshes: npt.ArrayLike, crop: Crop) -> npt.NDArray[np.float32]:
    """Meshes (…, 478, 3) px of a picture as px of its crop at 256 px."""
    x0, y0, x1, _ = crop
    moved = np.asarray(meshes, np.float64) - [x0, y0, 0]
    return np.asarray(moved * (NOMINAL_SIZE / (x1 - x0)), np.float32)


def thin_out(items: Sequence[Path], most: int) -> list[Path]:
    """At most so many of them, evenly spaced."""
    places = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[place] for place in places]


# --- files --------------------------------------------------------------------------------------


def _measure_files(path: Path) -> Portraits:
    files = thin_out(list_pictures(path), MOST) if path.is_dir() else [path]
    if not files:
        raise ToolkitError(
            f"{path}: no pictures in this folder: it needs files such as .jpg, .png or .webp"
        )
    names, pictures, meshes = list[str](), list[Picture](), list[npt.NDArray[np.float32]]()
    counts = _Counts(path, "pictures")
    mesh = FaceMesh()
    for file in files:
        try:
            picture = read_picture(file)
        except ToolkitError:
            if len(files) == 1:
                raise
            counts.unreadable += 1
            continue
        face = counts.choose(find_faces(mesh, picture))
        if face is None:
            continue
        crop = choose_crop(find_box(face)[None], (picture.shape[1], picture.shape[0]))
        names.append(file.name)
        pictures.append(cut_picture(picture, crop))
        meshes.append(to_crop(face, crop))
    counts.settle(len(names))
    return Portraits(
        path=path,
        names=tuple(names),
        pictures=np.stack(pictures),
        meshes=np.stack(meshes),
        take=None,
        backend=describe_backend(mesh.provenance()),
    )


class _Counts:
    """Pictures that show nothing of use, and what is said of them."""

    def __init__(self, path: Path, unit: str) -> None:
        self._path, self._unit = path, unit
        self.unreadable = self.seen = self.faceless = self.several = 0

    def choose(self, faces: Sequence[Mesh]) -> Mesh | None:
        """The face that is meant, or None where there is none or several may be."""
        self.seen += 1
        if not faces:
            self.faceless += 1
            return None
        if len(faces) > 1 and _height(faces[1]) > SECOND_FACE * _height(faces[0]):
            self.several += 1
            return None
        return faces[0]

    def settle(self, num_left: int) -> None:
        """Warn of what was left out; ToolkitError where nothing is left."""
        if not num_left:
            if self.several:
                raise ToolkitError(
                    f"{self._path}: several faces in {self._count(self.several)}, and none with "
                    "one alone: cut them so that one person is seen"
                )
            if not self.seen:
                raise ToolkitError(f"{self._path}: none of its {self._unit} can be read")
            raise ToolkitError(
                f"{self._path}: no face is seen in {self._count(self.faceless)}: give "
                "pictures of a face from the front, upright and not too dark"
            )
        parts = {
            "with several faces": self.several,
            "without a face": self.faceless,
            "that cannot be read": self.unreadable,
        }
        said = ", ".join(f"{number} {what}" for what, number in parts.items() if number)
        if said:
            warnings.warn(f"{self._path}: {self._unit} left out: {said}", stacklevel=4)

    def _count(self, number: int) -> str:
        return f"its {number} {self._unit}" if number > 1 else f"its one {self._unit[:-1]}"


# --- a video ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Seen:
    """A frame of a video with the face that is meant."""

    time: float
    face: Mesh
    size: tuple[int, int]


def _measure_video(path: Path) -> Portraits:
    info, streams = probe(path)
    mesh, counts = FaceMesh(), _Counts(path, "frames")
    step = max(min(info.duration or 0.0, LONGEST) / MOST, LEAST_STEP)
    takes, cuts, due, num_seen = [list[_Seen]()], ShotDetector(), 0.0, 0
    with contextlib.closing(read_frames(path, info, streams, size=fit_size)) as frames:
        for frame in frames:
            if frame.time > LONGEST:
                break
            if cuts.is_cut(frame.picture, frame.size):
                takes.append([])
            if frame.time < due - _EARLY or frame.damaged:
                continue
            due = max(due + step, frame.time + step / 2)
            num_seen += 1
            if num_seen > MOST + 1:  # its container does not say how long it lasts
                step, num_seen = 2 * step, num_seen // 2
                takes = [take[::2] for take in takes]
                continue
            face = counts.choose(find_faces(mesh, frame.picture))
            if face is not None:
                scale = np.float32(frame.size[0] / frame.picture.shape[1])
                takes[-1].append(_Seen(frame.time, face * scale, frame.size))
    seen = max(takes, key=len)
    counts.settle(len(seen))
    info = replace(info, width=seen[0].size[0], height=seen[0].size[1])
    boxes = np.stack([find_box(each.face) for each in seen])
    crop = choose_crop(boxes, seen[0].size)
    with contextlib.closing(
        read_frames(path, info, streams, size=(NOMINAL_SIZE, NOMINAL_SIZE), crop=crop)
    ) as frames:
        pictures = list(_pick((each.time for each in seen), ((f.time, f.picture) for f in frames)))
    return Portraits(
        path=path,
        names=tuple(f"{each.time:.2f} s" for each in seen),
        pictures=np.stack(pictures),
        meshes=np.stack([to_crop(each.face, crop) for each in seen]),
        take=Take(crop=crop, first=seen[0].time, last=seen[-1].time),
        backend=describe_backend(mesh.provenance()),
    )


def _pick(times: Iterator[float], frames: Iterator[tuple[float, Picture]]) -> Iterator[Picture]:
    """Pictures of frames at these times, which rise."""
    for time in times:
        for there, picture in frames:
            if there >= time - 1e-4:
                yield picture
                break


def _height(face: Mesh) -> float:
    return float(np.ptp(face[:, 1]))


def _is_one_of(face: Mesh, others: Sequence[Mesh]) -> bool:
    """Whether a mesh is that of a face which was seen already."""
    away = (np.linalg.norm(face[:, :2] - other[:, :2], axis=1).mean() for other in others)
    return any(distance < _SAME * _height(face) for distance in away)
