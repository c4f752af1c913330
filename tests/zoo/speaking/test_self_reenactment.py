"""A person's test clips drawn anew: of which motions, once, and again where a network changed."""

import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner

from tests.datasets import FakeClip, write_dataset
from tests.networks import save_model
from tests.numbered import read_all
from tests.zoo.speaking.test_commands import make_stand_in
from toolkit.errors import ToolkitError
from zoo.cli import main
from zoo.data.frames import load_render_clips
from zoo.models import registry
from zoo.models.renderer.person import fit_person
from zoo.speaking.options import SelfReenactmentSettings
from zoo.speaking.person_file import PersonFile, save_person
from zoo.speaking.self_reenactment import MEAN, MODEL, OTHER, OWN, REAL, SelfReenactment, read_pcm

NUM, CUT = 40, 24
"""Frames of the clip; of these so many are trained on, the rest is held out."""

NAMES = (MODEL, MEAN, OTHER, OWN)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A person's folder; a stand-in draws, and was trained on the first part of the one clip."""
    clip = FakeClip(num_frames=NUM)
    write_dataset(tmp_path / "data", {"j": [clip]}, frame_size=32)
    save_model(tmp_path / "motion.pt", "ann")
    (tmp_path / "renderer.pt").write_bytes(b"weights")
    shards = tmp_path / "data" / "shards"
    networks = {name: tmp_path / f"{name}.pt" for name in ("motion", "renderer")}
    person = PersonFile(
        identity="ann",
        shards=shards,
        motion_model=networks["motion"],
        renderer=networks["renderer"],
    )
    save_person(tmp_path, person)
    (loaded,) = load_render_clips(shards, identity="ann")
    person = dataclasses.replace(fit_person([loaded]), pose_range=None)  # any turn is drawn
    parts = {"trained_on": {clip.id: (0, CUT)}, "held_out": {clip.id: (CUT, NUM)}}
    stand_in = make_stand_in(loaded, person=person, **parts)

    def open_held(path, device="cpu", *, makes):
        return stand_in if makes == "frames" else registry.open_model(path, device, makes=makes)

    monkeypatch.setattr("zoo.speaking.self_reenactment.open_model", open_held)
    return tmp_path, stand_in, loaded


def open_work(run, **settings):
    return SelfReenactment(run[0], SelfReenactmentSettings(device="cpu", **settings))


def test_the_held_out_part_is_drawn_of_each_motion(run):
    work, (_, stand_in, clip) = open_work(run), run
    held, trained = clip.take(CUT, NUM), clip.take(0, CUT)
    paths = list(work.make())
    assert len(paths) == work.num_videos == 5
    assert {path.parent.name for path in paths} == {REAL, *NAMES}
    assert all(len(read_all(path)[1]) == NUM - CUT for path in paths)
    _, mean, other, own = stand_in.asked
    np.testing.assert_allclose(mean["expression"][3], trained.expression.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(mean["pose"][3], held.model_pose.mean(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(other["expression"], trained.expression[: NUM - CUT])
    np.testing.assert_allclose(other["pose"].mean(axis=0), held.model_pose.mean(axis=0), atol=1e-3)
    np.testing.assert_array_equal(own["expression"], held.expression)
    np.testing.assert_allclose(own["pose"], held.model_pose, atol=1e-3)


def test_the_sound_is_that_of_the_part(run):
    clip = run[2]
    pcm = clip.reader.read("audio/pcm", clip.index)
    np.testing.assert_array_equal(read_pcm(clip.take(CUT, NUM)), pcm[CUT * 16000 // 30 :])


def test_videos_that_are_there_are_not_made_again(run):
    list(open_work(run).make())
    (run[0] / "evaluation" / MEAN).joinpath(f"{run[2].id}.mp4").unlink()
    run[1].asked.clear()
    list(open_work(run).make())
    assert len(run[1].asked) == 1


def test_all_are_made_again_of_another_network(run):
    list(open_work(run).make())
    run[1].asked.clear()
    text = run[0] / "evaluation" / REAL / f"{run[2].id}.txt"
    text.write_text("what is said")
    (run[0] / "renderer.pt").write_bytes(b"other weights")
    list(open_work(run).make())
    assert len(run[1].asked) == 4
    assert text.is_file()


def test_a_renderer_that_holds_nothing_out_has_no_test_clips(run):
    run[1].held_out.clear()
    with pytest.raises(ToolkitError, match="holds nothing out: choose --split test"):
        open_work(run)


def test_the_command_measures_every_motion_beside_the_stored_frames(run):
    words = ["evaluate", "person", run[0], "--device", "cpu", "--metrics", "psnr.pooled,cpbd"]
    result = CliRunner().invoke(main, [*map(str, words), "--json", str(run[0] / "r.json")])
    assert result.exit_code == 0, result.output
    means = json.loads((run[0] / "r.json").read_text())["means"]["psnr.pooled"]
    assert set(means) == {*NAMES, "real", "still picture"}
    assert means["real"]["mean"] == "inf"
    assert (run[0] / "evaluation" / MODEL / f"{run[2].id}.mp4").is_file()


def test_a_short_rest_of_a_clip_is_left_out_beside_a_longer_one(run, monkeypatch):
    """29 frames of 30 a second are no second; the other part has 40."""
    _, stand_in, clip = run
    other = dataclasses.replace(clip, id="other")
    clips = (clip, other)
    monkeypatch.setattr("zoo.speaking.self_reenactment.load_render_clips", lambda *_, **__: clips)
    stand_in.held_out.update({clip.id: (11, NUM), "other": (0, NUM)})
    with pytest.warns(UserWarning, match="1 held-out rests of clips are under 1 s long: left out"):
        work = open_work(run)
    assert [(part.id, part.num_frames) for part in work.parts] == [("other", NUM)]
    stand_in.held_out.pop("other")
    assert [part.num_frames for part in open_work(run).parts] == [NUM - 11]
