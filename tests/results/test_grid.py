"""The learning curve on sentences of one man, from end to end on generated ones."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.datasets import FakeClip, write_dataset
from tests.results import grid, heard, people
from tests.results.setup import PAGE, MissingDataError, make_rehearsal
from toolkit.mesh import EYE_CORNERS, LANDMARKS68

NUM_FRAMES = 40


def make_sentence(number, seed):
    """A mouth that opens as score 0 says, in px; the eyes' centres are 100 px apart."""
    random = np.random.default_rng([number, seed])
    opening = random.uniform(10, 30, NUM_FRAMES)
    landmarks = np.zeros((NUM_FRAMES, 478, 3), np.float32)
    landmarks[:, EYE_CORNERS[0], 0], landmarks[:, EYE_CORNERS[1], 0] = 50, 150
    landmarks[:, LANDMARKS68[48:68], 1] = 200
    landmarks[:, 14, 1] = 200 + opening
    scores = random.normal(0, 1, (NUM_FRAMES, 29))
    if not seed:
        scores[:, 0] = opening / 10
    arrays = {
        "face/landmarks": landmarks,
        "audio/deepspeech": scores.astype(np.float32),
        "face/expression": random.normal(0, 1, (NUM_FRAMES, 64)).astype(np.float32),
        "face/valid": np.ones(NUM_FRAMES, bool),
    }
    return FakeClip(source=f"s1/{number}.mkv", num_frames=NUM_FRAMES, arrays=arrays)


def write_sentences(folder, seed=0):
    """Twenty."""
    return write_dataset(folder, {"j": [make_sentence(k, seed) for k in range(20)]})


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """Sentences that are ingested already, and no Whisper; one in four or all are learnt from."""
    out = tmp_path / "out"
    write_sentences(out / "grid")
    (out / "grid" / "ingested").touch()
    monkeypatch.setattr(grid, "open_whisper", lambda: None)
    monkeypatch.setattr(grid, "SHARES", (4, 1))
    return make_rehearsal(out)


def read_value(text):
    """What stands before an interval."""
    return float(text.split(" ")[0])


def test_sentences_are_divided_by_their_names_alone(setup):
    """A tenth judges and a tenth chooses; a sentence that gave no clip moves no other."""
    names = [str(k) for k in range(20)]
    sentences = grid.load_sentences(setup.out / "grid")
    parts = grid.divide(sentences, names)
    assert [len(p) for p in (parts.trained, parts.chosen_by, parts.judged)] == [16, 2, 2]
    again = grid.divide(sentences[1:], reversed(names))
    lost = sentences[0]
    for part, other in zip(vars(parts).values(), vars(again).values(), strict=True):
        assert [s.id for s in part if s.id != lost.id] == [s.id for s in other]
    few, all_of_them = parts.take(4), parts.take(1)
    assert len(few.trained) == 4
    assert few.trained == all_of_them.trained[:4]
    assert few.judged is parts.judged


def test_ridge_tells_features_that_hold_the_mouth_from_those_that_do_not(setup, tmp_path):
    """The opening is score 0 / 10; other scores are noise, and points that stay are no error."""
    sentences = grid.load_sentences(setup.out / "grid")
    parts = grid.divide(sentences, [s.name for s in sentences])
    noise = write_sentences(tmp_path / "noise", seed=1)
    known = [grid.Heard("true", setup.out / "grid"), grid.Heard("noise", noise)]
    rows = {
        (name, row["sentences"]): row
        for name, frames in grid.compute_features(parts, known)
        for row in grid.score_ridges(parts, name, frames)
    }
    assert list(rows) == [(n, k) for n in ("true", "noise", "log-mel") for k in (4, 16)]
    assert read_value(rows["true", 16]["opening, r"]) > 0.99
    assert read_value(rows["noise", 16]["opening, r"]) < 0.6
    lips = "lips, % of the eyes' distance"
    assert read_value(rows["true", 16][lips]) < 0.5 * read_value(rows["noise", 16][lips])


def test_distances_of_lips_are_shares_of_the_eyes_distance(setup):
    """Twenty points off by (3, 4) px where the eyes are 100 px apart: 5 %, in every resample."""
    sentences = grid.load_sentences(setup.out / "grid")[:3]
    off = np.concatenate([[0], np.tile([0.03, 0.04], 20)])
    made = {s.id: s.mouth + off for s in sentences}
    scores = grid.score_mouths(made, sentences)
    assert scores["lips, % of the eyes' distance"] == "5.000 (5.000–5.000)"
    assert scores["opening, r"] == "1.000 (1.000–1.000)"


def test_drawn_mouths_have_the_mean_of_the_mans_own(setup):
    sentences = grid.load_sentences(setup.out / "grid")
    parts = grid.divide(sentences, [s.name for s in sentences])
    drawn = grid.draw_mouths(parts, {s.id: s.clip.motion[:, :64] for s in parts.trained})
    true = np.concatenate([s.mouth for s in parts.trained])
    np.testing.assert_allclose(np.concatenate([*drawn.values()]).mean(0), true.mean(0), atol=1e-9)


def test_the_curve_has_a_row_for_every_method_and_share(setup, monkeypatch):
    monkeypatch.setattr(grid, "rescore", lambda setup, dataset: dataset)
    monkeypatch.setattr(heard, "hash_file", lambda path: "0" * 64)
    monkeypatch.setattr(heard, "rescore_dataset", lambda dataset, out, weights: None)
    (setup.out / "grid-00000000").symlink_to("grid")
    tables = grid.run_grid(replace(setup, weights=Path("mine.safetensors")))
    assert set(tables) == {"grid-curve"}
    assert re.search(r"^<!-- grid-curve -->$", PAGE.read_text("utf-8"), re.MULTILINE)
    rows = tables["grid-curve"].rows
    assert [(r["method"], r["features"], r["sentences"]) for r in rows] == [
        ("mean mouth", "", 16),
        ("its own expression", "", 16),
        *(("ridge", f, k) for f in (heard.SHIPPED, "scores, mine", "log-mel") for k in (4, 16)),
        *(("FACIAL-GAN", f, k) for f in (heard.SHIPPED, "scores, mine") for k in (4, 16)),
    ]
    assert [r["chosen"].split()[-1] for r in rows[-2:]] == ["4", "1"]  # epochs: as many steps


def test_without_the_sentences_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(people, "find_data", lambda: None)
    with pytest.raises(MissingDataError, match="no osalinasv_lipnet/grid_s1"):
        grid.run_grid(make_rehearsal(tmp_path))
