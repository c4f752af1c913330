"""LPIPS, FaceNet's distance and FID by judges that stand in for networks: what is seen, when."""

import functools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.zoo.evaluation.shown import GivenVideo, make_grey
from zoo.evaluation import inception, measure, perception, recognition
from zoo.evaluation.judges import Judges
from zoo.evaluation.measure import Measured, measure_video
from zoo.evaluation.options import EvaluationOptions
from zoo.evaluation.pairing import REAL, STILL
from zoo.evaluation.perception import open_features
from zoo.evaluation.report import make_record, write_report
from zoo.evaluation.sets import score_sets
from zoo.evaluation.systems import VideoRow, find_missing
from zoo.evaluation.view import View
from zoo.metrics.table import find_metric

FACENET = ["identity.distance.facenet", "identity.acd_reference.facenet"]


@pytest.fixture(autouse=True)
def no_recogniser(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (recognition, measure):
        monkeypatch.setattr(module, "explain_recogniser", lambda: "not installed")


class Levels:
    """Stands in for all three: knows the level of a picture's first pixel alone."""

    array, label = "lpips_alex", "levels.pth"

    def __init__(self) -> None:
        self.seen = list[tuple[int, ...]]()

    def _look(self, *pictures) -> list[float]:
        self.seen.append(tuple(int(picture[0, 0, 0]) for picture in pictures))
        return [float(level) for level in self.seen[-1]]

    def compare(self, picture, other):
        level, real = self._look(picture, other)
        return np.full(5, abs(level - real) / 5)

    def describe(self, picture, mesh=None):
        (level,) = self._look(picture)
        return np.array([level, 1.0, *[0] * 510]) if mesh is not None else np.full(2048, level)


def make_video(levels, **chosen) -> GivenVideo:
    points = np.full((len(levels), 478, 3), 30, np.float32)
    return GivenVideo([make_grey(v) for v in levels], {"landmarks": points}, **chosen)


def score(shown, real, names, features: Path | None = None, **judges) -> Measured:
    view, metrics = View(size=shown.video.size), [find_metric(name) for name in names]
    return measure_video(shown, real, view, metrics, None, Judges(**judges), features)


# --- LPIPS --------------------------------------------------------------------------------------


def test_lpips_is_the_mean_over_all_pictures_beside_the_real_ones() -> None:
    """In three stretches of 61 s: every pair is seen once, 5 levels off in every other frame."""
    judge, num = Levels(), 61 * 30
    levels = [k % 200 for k in range(num)]
    shown = make_video([level + 5 * (k % 2) for k, level in enumerate(levels)])
    found = score(shown, make_video(levels), ["lpips.alex", "psnr.pooled"], lpips=judge)
    assert found.values["lpips.alex"] == pytest.approx(2.5)
    assert len(judge.seen) == num


def test_two_pictures_that_are_shown_again_are_compared_once() -> None:
    shown, real = make_video([9] * 30), make_video([5] * 30)
    shown.pictures, real.pictures = [make_grey(9)] * 30, [make_grey(5)] * 30
    judge = Levels()
    assert score(shown, real, ["lpips.alex"], lpips=judge).values == {"lpips.alex": 4}
    assert judge.seen == [(9, 5)]


def test_lpips_of_the_other_network_says_which_file_is_given() -> None:
    found = score(make_video([9]), make_video([5]), ["lpips.alex", "lpips.vgg"], lpips=Levels())
    assert found.values == {"lpips.alex": 4}
    assert found.missing == {
        "lpips.vgg": "needs VGG16: --lpips-judge FILE, vgg16-397923af.pth; the file given is "
        "AlexNet's"
    }


def test_lpips_needs_a_real_video_and_is_not_run_without_one() -> None:
    judge = Levels()
    found = score(make_video([9]), None, ["lpips.alex"], lpips=judge)
    assert found.missing == {"lpips.alex": "needs the real video: --real"}
    score(make_video([9]), make_video([8]), ["psnr.mean"], lpips=judge)
    assert judge.seen == []


# --- FaceNet ------------------------------------------------------------------------------------


def test_facenets_distances_are_to_the_real_frame_and_to_the_first_real_face() -> None:
    """Levels 10 and 30 beside 16 and 20: 6 and 10; from 16: 6 and 14."""
    judge = Levels()
    found = score(make_video([10, 30]), make_video([16, 20]), FACENET, facenet=judge)
    assert found.values == pytest.approx(dict(zip(FACENET, (8, 10), strict=True)))
    assert sorted(judge.seen) == [(10,), (16,), (20,), (30,)]


def test_facenet_needs_faces_and_a_judge() -> None:
    bare = GivenVideo([make_grey(9)])
    found = score(bare, make_video([8]), FACENET, facenet=Levels())
    assert set(found.missing.values()) == {"the video shows no face"}
    found = score(make_video([8]), make_video([8]), FACENET)
    assert set(found.missing.values()) == {
        "needs FaceNet: --facenet-judge FILE, 20180402-114759-vggface2.pt"
    }


def test_two_recognisers_of_the_users_see_the_same_faces() -> None:
    arcface, facenet = Levels(), Levels()
    shown, real = make_video(range(60)), make_video(range(100, 160))
    names = ["identity.csim.arcface", FACENET[0]]
    found = score(shown, real, names, identity=arcface, facenet=facenet)
    assert found.values[FACENET[0]] == pytest.approx(100)
    assert arcface.seen == facenet.seen
    assert len(arcface.seen) == 2 * recognition.NUM_FACES


# --- FID ----------------------------------------------------------------------------------------


def keep(levels, path: Path, **chosen) -> Measured:
    shown = make_video(levels)
    return score(shown, make_video([0] * len(levels)), ["fid"], path, fid=Levels(), **chosen)


def test_every_pictures_features_lie_in_the_videos_file(tmp_path: Path) -> None:
    """In frames' order, of two stretches, repeated ones too; no value or reason of one video."""
    levels = [k // 3 % 250 for k in range(61 * 30)]
    found = keep(levels, tmp_path / "a" / "f.f32")
    assert (found.values, found.missing) == ({}, {})
    kept = open_features(tmp_path / "a" / "f.f32")
    assert kept.shape == (len(levels), 2048)
    np.testing.assert_array_equal(kept[:, 0], levels)


@pytest.mark.parametrize("crop", [None, (0, 0, 32, 32)])
def test_a_picture_shown_throughout_is_seen_once_also_beside_changing_real_ones(
    tmp_path: Path, crop
) -> None:
    """Also where it is cut out and resized, so that each time it is another array."""
    shown, judge = make_video([9] * 30), Levels()
    shown.pictures = [make_grey(9)] * 30
    view = View(size=shown.video.size, crop=crop)
    real, metrics = make_video(range(30)), [find_metric("fid")]
    measure_video(shown, real, view, metrics, None, Judges(fid=judge), tmp_path / "f")
    assert judge.seen == [(9,)]
    assert open_features(tmp_path / "f").shape == (30, 2048)


def test_fid_without_its_judge_or_a_real_video_says_so(tmp_path: Path) -> None:
    found = score(make_video([9]), make_video([8]), ["fid"], tmp_path / "f")
    assert found.missing == {
        "fid": "needs Inception: --fid-judge FILE, pt_inception-2015-12-05-6726825d.pth"
    }
    found = score(make_video([9]), None, ["fid"], None, fid=Levels())
    assert found.missing == {"fid": "needs the real video: --real"}
    assert not (tmp_path / "f").exists()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features are two numbers, so that three pictures are enough."""
    monkeypatch.setattr(perception, "NUM_FEATURES", 2)


def make_row(system: str, video: str, features, folder: Path, error: str = "") -> VideoRow:
    path = folder / f"{video}-{system}.f32"
    np.asarray(features, np.float32).tofile(path)
    return VideoRow(system=system, video=video, path=None, error=error, features=path)


def make_rows(folder: Path) -> list[VideoRow]:
    """Two videos of four pictures each: first numbers 0 and 2, all real ones 1 and 5 in turn."""
    spread = [[0, 0], [2, 0], [0, 0], [2, 0]]
    real = [[1, 0], [5, 0], [1, 0], [5, 0]]
    rows = [make_row("ours", video, spread, folder) for video in "ba"]
    rows += [make_row(REAL, video, real, folder) for video in "ab"]
    rows += [make_row(STILL, video, real[:1] * 4, folder) for video in "ab"]
    rows.append(make_row("ours", "c", [[99, 99]], folder, error="does not decode"))
    return rows


def test_fid_is_of_all_pictures_of_a_system_beside_all_real_ones(few, tmp_path: Path) -> None:
    """Variances 8/7 and 32/7, means 1 and 3: 2² + (√(32/7) − √(8/7))²; a failed video is left out.

    The still picture has no variance: (3 − 1)² + 32/7.
    """
    found = score_sets(make_rows(tmp_path), [find_metric("fid")])
    means = {name: mean.value for name, mean in found.means["fid"].items()}
    assert means == pytest.approx({"ours": 4 + 8 / 7, REAL: 0, STILL: 4 + 32 / 7})
    assert found.means["fid"]["ours"].num_videos == 2
    assert found.num_pictures == {"ours": 8, REAL: 8, STILL: 8}
    assert found.notes == [
        "fid is of all pictures together, and no mean over videos: ours 8, real 8, still picture 8"
    ]


def test_too_few_pictures_are_said(few, tmp_path: Path) -> None:
    rows = [make_row(name, "a", [[0, 1], [1, 0]], tmp_path) for name in ("ours", REAL)]
    found = score_sets(rows, [find_metric("fid")])
    assert found.means["fid"]["ours"].value == pytest.approx(0)
    assert found.notes[1].startswith("fid is of too few pictures: below 3 a covariance lacks")


def test_one_picture_is_no_set(few, tmp_path: Path) -> None:
    rows = make_rows(tmp_path)[2:4]
    rows.append(make_row("ours", "a", [[0, 1]], tmp_path))
    found = score_sets(rows, [find_metric("fid")])
    assert set(found.means["fid"]) == {REAL}
    assert found.notes[0] == "fid of ours was not measured: pictures: 1; two of each set at least"


def test_nothing_is_computed_where_fid_is_not_asked_for_or_nothing_was_kept() -> None:
    rows = [VideoRow(system="ours", video="a", path=None)]
    for names in (["cpbd"], ["fid"]):
        found = score_sets(rows, [find_metric(name) for name in names])
        assert (found.means, found.notes) == ({}, [] if names == ["fid"] else ())


def test_json_and_report_have_fid_and_what_it_is_of(few, tmp_path: Path) -> None:
    rows, metrics = make_rows(tmp_path), [find_metric("fid"), find_metric("cpbd")]
    sets = score_sets(rows, metrics)
    record = make_record(rows, metrics, "whole", {}, sets)
    assert record["means"]["fid"]["ours"] == {
        "mean": pytest.approx(4 + 8 / 7), "low": None, "high": None, "videos": 2,
    }  # fmt: skip
    assert record["sets"]["pictures"]["ours"] == 8
    assert find_missing(rows) == {}
    write_report(tmp_path / "r.html", rows, metrics, None, face=False, judges={}, sets=sets)
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "<li>fid is of all pictures together" in text
    assert text.count(">5.143<") == 1  # among the means, and no column of the videos'


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("facenet_judge", "--facenet-judge measures identity.*.facenet"),
        ("lpips_judge", "--lpips-judge measures lpips.alex and lpips.vgg"),
        ("fid_judge", "--fid-judge measures fid"),
    ],
)
def test_a_judge_that_nothing_asks_for_is_refused(option: str, named: str) -> None:
    make = functools.partial(EvaluationOptions, **{option: Path("f")})
    with pytest.raises(ValueError, match="which --metrics leaves out") as error:
        make(metrics="cpbd")
    assert str(error.value).startswith(named)
    for name in ("lpips.alex", "lpips.vgg"):
        EvaluationOptions(metrics=name, lpips_judge=Path("f"))


def test_features_of_small_pictures_are_those_of_the_networks_size() -> None:
    """One pixel is brought to 299 × 299, from −1 to 1."""
    seen = []
    network = SimpleNamespace(to=lambda device: lambda x: seen.append(x) or x.flatten(1))
    inception.FidJudge(network, "").describe(np.array([[[255, 0, 51]]], np.uint8))
    assert seen[0].shape == (1, 3, 299, 299)
    np.testing.assert_allclose(seen[0][0, :, 150, 150], [1, -1, -0.6], rtol=1e-6)
