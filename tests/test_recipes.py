"""The commands of docs/datasets.md, run on folders laid out as those datasets are published."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests import ROOT
from tests.media import run_ffmpeg
from toolkit.cli import main
from toolkit.ingest.identities import find_doubts, name_identities
from toolkit.ingest.sources import find_sources
from toolkit.media.ffmpeg_process import find_ffmpeg
from toolkit.media.video import probe

LAYOUTS = {
    "GRID": [
        *(f"grid/s1/{name}.mpg" for name in ("bbaf2n", "bbaf3s")),
        *(f"grid/s2/{name}.mpg" for name in ("bbaf1n", "bbaf2n")),
    ],
    "VoxCeleb2": [
        "vox2/dev/mp4/id00012/21Uxsk56VDQ/00001.mp4",
        "vox2/dev/mp4/id00012/2DLq_Kkc1r8/00016.mp4",
        "vox2/dev/mp4/id00015/0fijmz4vTVU/00001.mp4",
        "vox2/test/mp4/id00017/01dfn2spqyE/00001.mp4",
        "vox2/dev/aac/id00012/21Uxsk56VDQ/00001.m4a",
        "vox2/dev/txt/id00012/21Uxsk56VDQ/00001.txt",
    ],
    "HDTF": [
        *(f"hdtf/WDA_KatieHill_{number}.mp4" for number in ("000", "001")),
        *(f"hdtf/RD_Radio1_{number}.mp4" for number in ("000", "001")),
        "hdtf/WRA_MarcoRubio_000.mp4",
    ],
    "MEAD": [
        *(
            f"MEAD/{who}/video/{view}/angry/level_1/001.mp4"
            for who in ("M003", "W009")
            for view in ("front", "left_30")
        ),
        "MEAD/M003/video/front/neutral/level_1/001.mp4",
        *(f"MEAD/{who}/audio/angry/level_1/001.m4a" for who in ("M003", "W009")),
        "MEAD/M003/audio/neutral/level_1/001.m4a",
    ],
}
PEOPLE = {
    "GRID": ["s1", "s1", "s2", "s2"],
    "VoxCeleb2": ["id00012", "id00012", "id00015"],
    "HDTF": ["Radio1", "Radio1", "KatieHill", "KatieHill", "MarcoRubio"],
    "MEAD": ["M003", "M003", "W009"],
}
"""In the order of the videos' paths; of VoxCeleb2 the folder `dev`, of MEAD the front view."""


def list_blocks() -> Iterator[tuple[str, str]]:
    """Dataset -> the commands of its section."""
    for section in (ROOT / "docs" / "datasets.md").read_text("utf-8").split("\n## ")[1:]:
        yield section.partition("\n")[0], section.split("```sh\n")[1].split("```")[0]


BLOCKS = dict(list_blocks())


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds at 25 frames a second: with sound, without, sound alone."""
    folder = tmp_path_factory.mktemp("media")
    picture = ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:duration=3")
    tone = ("-f", "lavfi", "-i", "sine=sample_rate=44100:duration=3")
    run_ffmpeg(*picture, *tone, "-c:v", "mpeg1video", "-c:a", "mp2", folder / "both.mpg")
    run_ffmpeg(*picture, *tone, "-c:v", "mpeg4", "-c:a", "aac", folder / "both.mp4")
    run_ffmpeg(*picture, "-c:v", "mpeg4", folder / "silent.mp4")
    run_ffmpeg(*tone, "-c:a", "aac", folder / "sound.m4a")
    (folder / "boxes.txt").write_text("Identity : id00012\n")
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; `ttk` there notes its words, `ffmpeg` is the toolkit's."""
    monkeypatch.chdir(tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    note = f"import json, sys\nprint(json.dumps(sys.argv[1:]), file=open('{tmp_path}/words', 'a'))"
    (programs / "ttk").write_text(f"#!{sys.executable}\n{note}\n")
    (programs / "ttk").chmod(0o755)
    (programs / "ffmpeg").symlink_to(find_ffmpeg())
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return tmp_path


def lay_out(dataset: str, place: Path, media: Path) -> None:
    kinds = {"mpg": "both.mpg", "mp4": "both.mp4", "m4a": "sound.m4a", "txt": "boxes.txt"}
    for name in LAYOUTS[dataset]:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = "silent.mp4" if dataset == "MEAD" and name.endswith("mp4") else kinds[name[-3:]]
        path.symlink_to(media / kind)


@pytest.mark.parametrize("dataset", LAYOUTS)
def test_the_commands_find_every_person_and_no_other(
    dataset: str, place: Path, media: Path
) -> None:
    lay_out(dataset, place, media)
    subprocess.run(["bash", "-euo", "pipefail", "-c", BLOCKS[dataset]], cwd=place, check=True)
    ingest, *rest = map(json.loads, (place / "words").read_text().splitlines())
    assert all(words[0] == "split" for words in rest)
    command = main.get_command(click.Context(main), ingest[0])
    assert command is not None
    given = command.make_context("ingest", ingest[1:]).params
    places = find_sources([Path(name) for name in given["inputs"]]).places
    rule = given["identity"] or "parent"
    names = name_identities(places, rule)
    assert [names[path] for path in sorted(names)] == PEOPLE[dataset]
    assert not any("look like no people" in doubt for doubt in find_doubts(places, names, rule))
    for path in places:
        info = probe(path)[0]
        assert info.audio_start is not None
        assert info.fps == (given["fps"] or 30) or dataset == "MEAD"  # its videos have 30
        assert dataset != "GRID" or given["min_frames"] < round(info.duration * 25) <= 75


def test_every_recipe_is_tried() -> None:
    assert BLOCKS.keys() == LAYOUTS.keys() == PEOPLE.keys()
