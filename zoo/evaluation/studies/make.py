"""A user study on disk: who rates which videos, under names that say nothing.

study/study.json      which hidden name is which system's file; never given to raters
study/pages/          what raters get: index.html, a page for each, videos/
study/answers/        where the files that their browsers save are put
"""

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.errors import SetupError, SourceError
from toolkit.media.video import probe
from toolkit.storage import digest_record, guard_storage, hash_file, write_whole
from zoo.evaluation.studies.page import write_index, write_page
from zoo.evaluation.studies.protocols import Protocol

ENDINGS = (".mp4", ".webm")
CODECS = ("h264", "vp8", "vp9", "av1")
"""What browsers play everywhere."""

KEY = "study.json"
PAGES, ANSWERS, VIDEOS = "pages", "answers", "videos"


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What one rater sees, in order: hidden names of examples, which do not count; of videos."""

    rater: str
    examples: tuple[str, ...]
    videos: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study as it was made.

    Attributes:
        protocol: name of one of `PROTOCOLS`.
        seed: of the draw of videos, names and orders.
        systems: in the order of the table.
        videos: hidden name -> system, file name and SHA-256.
        sheets: one for each rater.
    """

    protocol: str
    seed: int
    systems: tuple[str, ...]
    videos: Mapping[str, tuple[str, str, str]]
    sheets: tuple[Sheet, ...]

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of all that it is made of."""
        return digest_record(dataclasses.asdict(self))


def make_study(
    out: Path,
    systems: Mapping[str, Path],
    protocol: Protocol,
    *,
    raters: int | None = None,
    num_videos: int | None = None,
    seed: int = 0,
) -> Study:
    """Write a study into a new folder.

    Args:
        out: must not exist, or be empty.
        systems: name -> folder with its `.mp4` and `.webm` files.
        protocol: what raters are asked.
        raters: sheets to make; default: as many as the paper had.
        num_videos: that each rater judges; default: as many as in the paper, and no more than there
            are beside the examples. Every system has its equal share, within one.
        seed: of all draws: the same files and seed give the same study.

    Raises:
        ValueError: a folder without such videos, a codec that browsers do not play, fewer than two
            systems, `out` is not empty, or a number out of range.
        StorageError: the disk refuses.
    """
    if len(systems) < 2:
        raise ValueError("a study compares two systems or more: give --systems twice")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out}: there is something already: choose another folder")
    files = {name: list_videos(folder) for name, folder in systems.items()}
    count = sum(map(len, files.values()))
    most = max(len(systems), count - protocol.examples)
    if num_videos is None:
        num_videos = min(protocol.videos, most)
    people = protocol.raters if raters is None else raters
    if people < 1 or not len(systems) <= num_videos <= count:
        raise ValueError(
            f"{people} raters, {num_videos} videos each: at least one rater, at least a video of "
            f"each of {len(systems)} systems, and no more than the {count} there are"
        )
    rng = np.random.default_rng(seed)
    hidden = _hide(files, rng)
    study = Study(
        protocol=protocol.name,
        seed=seed,
        systems=tuple(systems),
        videos={
            name: (system, path.name, hash_file(path)) for name, (system, path) in hidden.items()
        },
        sheets=tuple(_deal(hidden, list(systems), people, num_videos, protocol.examples, rng)),
    )
    _write(out, study, protocol, {name: path for name, (_, path) in hidden.items()})
    return study


def list_videos(folder: Path) -> list[Path]:
    """The videos of a system, sorted; ValueError where there is none or one does not play."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    if not found:
        raise ValueError(f"{folder}: holds no {' or '.join(ENDINGS)} files")
    for path in found:
        try:
            _, streams = probe(path)
        except SourceError as error:
            raise SetupError(f"{path}: {error}") from error
        if streams.codec not in CODECS:
            raise ValueError(
                f"{path}: browsers do not play {streams.codec}: encode it as H.264 in .mp4"
            )
    return found


def read_study(folder: Path) -> Study:
    """The study that a folder holds; SetupError where it holds none."""
    path = folder / KEY
    try:
        content = json.loads(path.read_text("utf-8"))
        return Study(
            protocol=content["protocol"],
            seed=content["seed"],
            systems=tuple(content["systems"]),
            videos={name: tuple(value) for name, value in content["videos"].items()},
            sheets=tuple(
                Sheet(
                    rater=sheet["rater"],
                    examples=tuple(sheet["examples"]),
                    videos=tuple(sheet["videos"]),
                )
                for sheet in content["sheets"]
            ),
        )
    except FileNotFoundError as error:
        raise SetupError(f"{path}: missing: `zoo study make` writes it beside answers/") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SetupError(f"{path}: damaged, or not of a study") from error


# --- who sees what ------------------------------------------------------------------------------


def _hide(
    files: Mapping[str, Sequence[Path]], rng: np.random.Generator
) -> dict[str, tuple[str, Path]]:
    """Hidden name -> system and file; names are drawn, and sorted by nothing but themselves."""
    known = [(system, path) for system, paths in files.items() for path in paths]
    names = dict.fromkeys(f"{value:08x}" for value in rng.integers(2**32, size=2 * len(known)))
    return dict(sorted(zip(list(names)[: len(known)], known, strict=True)))


def _deal(
    hidden: Mapping[str, tuple[str, Path]],
    systems: Sequence[str],
    raters: int,
    num_videos: int,
    examples: int,
    rng: np.random.Generator,
) -> list[Sheet]:
    """Sheets on which every system, and every video of a system, stands about equally often."""
    decks = {s: rng.permutation([n for n, (of, _) in hidden.items() if of == s]) for s in systems}
    dealt, turn = dict.fromkeys(systems, 0), 0
    sheets = []
    for rater in range(raters):
        shares = dict.fromkeys(systems, 0)
        while sum(shares.values()) < num_videos:
            system = systems[turn % len(systems)]
            turn += 1
            shares[system] += shares[system] < len(decks[system])
        videos: list[str] = []
        for system, share in shares.items():
            places = (dealt[system] + np.arange(share)) % len(decks[system])
            videos += decks[system][places].tolist()
            dealt[system] += share
        others = [name for name in hidden if name not in videos]
        shown = rng.permutation(others)[:examples].tolist()
        order = rng.permutation(videos).tolist()
        number = str(rater + 1).zfill(len(str(raters)))
        sheets.append(Sheet(rater=number, examples=tuple(shown), videos=tuple(order)))
    return sheets


# --- on disk ------------------------------------------------------------------------------------


def _write(out: Path, study: Study, protocol: Protocol, paths: Mapping[str, Path]) -> None:
    with guard_storage(out):
        (out / PAGES / VIDEOS).mkdir(parents=True)
        (out / ANSWERS).mkdir()
    ends = {name: path.suffix.lower() for name, path in paths.items()}
    for name, path in paths.items():
        _copy(path, out / PAGES / VIDEOS / (name + ends[name]))
    for sheet in study.sheets:
        shown = [
            {"name": name, "file": f"{VIDEOS}/{name}{ends[name]}", "counts": name in sheet.videos}
            for name in (*sheet.examples, *sheet.videos)
        ]
        text = write_page(study.id, sheet.rater, protocol, shown)
        _write_text(out / PAGES / f"rater-{sheet.rater}.html", text)
    raters = [sheet.rater for sheet in study.sheets]
    _write_text(out / PAGES / "index.html", write_index(raters))
    _write_text(out / KEY, json.dumps(dataclasses.asdict(study), indent=1, ensure_ascii=False))


def _write_text(path: Path, text: str) -> None:
    with write_whole(path) as temporary:
        temporary.write_text(text, "utf-8")


def _copy(source: Path, target: Path) -> None:
    """A second name of the file, or a copy where the file system has no such names."""
    with contextlib.suppress(OSError):
        os.link(source.resolve(), target)
        return
    with guard_storage(target):
        shutil.copyfile(source, target)
