"""Which files belong together: videos of systems and the real ones, by their names."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import ToolkitError
from toolkit.media.video import SUFFIXES
from toolkit.names import write_name

REAL, STILL = "real", "still picture"
"""Names of the rows that are made by themselves: the real video, and its first picture alone."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """The videos of one name.

    Attributes:
        name: of the video, without the ending.
        systems: system -> its file; None: it has none of this name.
        real: the real one; None: there is none of this name, or none is asked for.
        needs_real: whether one is asked for.
    """

    name: str
    systems: Mapping[str, Path | None]
    real: Path | None
    needs_real: bool


def list_tasks(systems: Mapping[str, Path], real: Path | None) -> list[Task]:
    """The videos of systems, each a file or a folder, beside those of `real`, a file or folder.

    A name is the path from the folder without the ending. One file beside one file belong together
    whatever their names are. A video of a system that stands beside no real one gets a row that
    says so, and so does a real one without a system's; real videos that no system has are left
    out.

    Raises:
        ToolkitError: a place is not there or holds no video, two of one folder have one name, or
            no real video has the name of a system's.
    """
    found = {name: list_videos(path) for name, path in systems.items()}
    names = sorted({video for videos in found.values() for video in videos})
    known = list_videos(real) if real is not None else {}
    if real is not None and real.is_file():
        if len(names) > 1:
            raise ToolkitError(f"{real} is one video, but {len(names)} are to stand beside it")
        known = {names[0]: real}
    if real is not None and not set(names) & set(known):
        raise ToolkitError(
            f"no video of {real} has the name of one to measure: {names[0]} stands beside none of "
            f"{', '.join(sorted(known)[:3])}"
        )
    return [
        Task(
            name=name,
            systems={system: videos.get(name) for system, videos in found.items()},
            real=known.get(name),
            needs_real=real is not None,
        )
        for name in names
    ]


def list_videos(place: Path) -> dict[str, Path]:
    """Name -> file, of a file or of all videos in a folder and below; see `list_tasks`."""
    if place.is_file():
        return {place.stem: place}
    if not place.is_dir():
        raise ToolkitError(f"{place}: there is no such file or folder")
    found: dict[str, Path] = {}
    for path in sorted(place.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith(".") or not path.is_file():
            continue
        name = path.relative_to(place).with_suffix("").as_posix()
        if name in found:
            raise ToolkitError(f"{path} and {found[name].name} have one name: keep one of them")
        found[name] = path
    if not found:
        raise ToolkitError(f"{place}: holds no video ({', '.join(sorted(SUFFIXES)[:4])}, …)")
    return found


def parse_systems(given: Iterable[str], taken: Collection[str] = (REAL, STILL)) -> dict[str, Path]:
    """NAME=FOLDER, as typed, to name -> folder; ValueError for anything else or a name `taken`."""
    systems: dict[str, Path] = {}
    for text in given:
        name, equals, folder = text.partition("=")
        if not (name and equals and folder):
            raise ValueError(f"{text!r} is no NAME=FOLDER")
        if name in systems or name in taken:
            raise ValueError(f"the name {write_name(name)!r} is taken: choose another")
        systems[name] = Path(folder)
    return systems
