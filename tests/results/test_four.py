"""Videos of four people for two builds, and the commands that draw another build's films."""

import shlex

import numpy as np

from tests.results import four, people
from tests.results.films import list_commands
from tests.results.four import collect_videos
from tests.results.setup import make_rehearsal
from toolkit.media.encode import write_video
from toolkit.media.video import probe
from zoo.models.renderer import FAMILY
from zoo.training.checkpoint import save_checkpoint


def test_videos_lie_in_folders_of_their_people_and_all_have_sound(tmp_path, monkeypatch):
    """A video without sound, as all of these are, gets some where a clip could not be without."""
    frames = [np.full((64, 96, 3), 90, np.uint8)] * 30
    (tmp_path / "real" / "grid").mkdir(parents=True)
    for name in ("man.mp4", "woman.mp4", "129.mp4", "grid/a.mkv", "grid/b.mkv"):
        write_video(tmp_path / "real" / name, frames, fps=30)
    monkeypatch.setattr(four, "VIDEOS", {"man": "man.mp4", "woman": "woman.mp4"})
    monkeypatch.setattr(four, "SENTENCES", "grid")
    monkeypatch.setattr(four, "CROPPED_VIDEO", "129.mp4")
    for module in (four, people):
        monkeypatch.setattr(module, "find_real", lambda name: tmp_path / "real" / name)
    folder = collect_videos(make_rehearsal(tmp_path / "out"), tmp_path / "videos")
    found = {str(path.relative_to(folder)) for path in folder.rglob("*.m*")}
    assert found == {
        "man/man.mp4", "woman/woman.mp4", "129/129.mkv", "grid_s1/a.mkv", "grid_s1/b.mkv",
    }  # fmt: skip
    info, streams = probe(folder / "129" / "129.mkv")
    assert streams.audio is not None
    assert (info.width, info.height) == (96, 64)


def test_films_of_held_out_clips_are_drawn_by_commands(tmp_path):
    """Of two clips one was held out: it is drawn as a crop and in its source."""
    run = tmp_path / "a b" / "ann" / "run"
    model = {"held_out": {"clip-1": [5, 9]}, "trained_on": {"clip-0": [0, 9]}}
    save_checkpoint(run / "best.pt", {"kind": FAMILY.name, "model": model})
    made, drawn, *rest = (shlex.split(line) for line in list_commands(tmp_path / "a b"))
    target = tmp_path / "a b" / "ann" / "crop"
    assert made == ["mkdir", "-p", str(target)]
    assert drawn[:5] == ["python", "-m", "zoo", "reenact", "clip-1"]
    options = dict(zip(drawn[5::2], drawn[6::2], strict=True))
    assert options["--background"] == "crop"
    assert options["--shards"] == str(tmp_path / "a b" / "data" / "shards")
    assert options["--renderer"] == str(run / "best.pt")
    assert options["--out"] == str(target / "clip-1.mp4")
    assert len(rest) == 2
    assert rest[1][-1] == str(target.with_name("source") / "clip-1.mp4")
