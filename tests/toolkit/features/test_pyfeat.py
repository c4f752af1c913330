"""AU45 by py-feat, with a stand-in for the package: both of its interfaces, the right face."""

import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from toolkit.errors import SetupError, SourceError
from toolkit.features import create_extractor, pyfeat
from toolkit.schema import ClipInput


class FakeDetector:
    """Reads the pictures: red is 255·AU43, green marks how many faces there are."""

    calls = 0
    columns = ("AU43",)

    def rows(self, paths):
        FakeDetector.calls += len(paths)
        rows = []
        for path in paths:
            red, green, _ = np.asarray(Image.open(path))[0, 0]
            box = {"FaceRectX": 80.0, "FaceRectY": 80, "FaceRectWidth": 40, "FaceRectHeight": 40}
            other = {**box, "FaceRectX": 300.0}
            nothing = dict.fromkeys(box, np.nan)
            faces = {0: [(nothing, np.nan)], 1: [(box, red / 255)]}
            faces[2] = [(other, 0.9), (box, red / 255), ({**box, "FaceRectX": 120.0}, 0.9)]
            faces[3] = [(other, 0.9)]
            rows += [{**place, "AU43": au, "input": path} for place, au in faces[int(green)]]
        return pd.DataFrame(rows)


class OldDetector(FakeDetector):
    """The interface of 0.6."""

    def detect_image(self, input_file_list, batch_size=1):
        return self.rows(input_file_list)


class NewDetector(FakeDetector):
    """The interface from 0.7 on, which takes kinds of data."""

    def detect(self, inputs, data_type="image", batch_size=1, progress_bar=True):
        assert data_type == "image"
        assert not progress_bar
        return self.rows(inputs)


@pytest.fixture(params=[OldDetector, NewDetector])
def detector(request, monkeypatch):
    monkeypatch.setitem(sys.modules, "feat", types.SimpleNamespace(Detector=request.param))
    FakeDetector.calls = 0
    return request.param


def make_clip(reds, greens=None, index=None):
    greens = [1] * len(reds) if greens is None else greens
    index = np.arange(len(reds)) if index is None else np.array(index)
    pictures = [
        np.full((200, 400, 3), (red, green, 0), np.uint8)
        for red, green in zip(reds, greens, strict=True)
    ]
    return ClipInput(
        clip_id="clip",
        path=Path("talk.mp4"),
        fps=30,
        start_frame=0,
        num_frames=len(index),
        picture_size=(400, 200),
        intrinsics=(300.0, 300.0, 200.0, 100.0),
        crop=(0.0, 0.0, 200.0, 200.0),
        valid=np.ones(len(index), dtype=bool),
        source_time=index / 30,
        source_index=index,
        source_num_frames=int(index.max()) + 1,
        load_landmarks=lambda: np.zeros((len(index), 478, 3), np.float32),
        load_pcm=lambda: np.zeros(0, np.int16),
        read_frames=lambda: (pictures[i] for i in index),
    )


def test_eyes_closed_from_0_to_1_become_0_to_5(detector):
    found = create_extractor("au45", "pyfeat").extract(make_clip([0, 51, 255]))
    assert found["face/au45"] == pytest.approx([0, 1, 5])
    assert found["face/au45"].dtype == np.float32
    assert found["face/valid"].all()


def test_a_repeated_frame_is_measured_once(detector):
    clip = make_clip([0, 51, 102], index=[0, 0, 1, 1, 2])
    found = pyfeat.PyFeatAU45().extract(clip)
    assert found["face/au45"] == pytest.approx([0, 0, 1, 1, 2])
    assert FakeDetector.calls == 3


def test_every_frame_has_its_row_over_several_batches(detector, monkeypatch):
    monkeypatch.setattr(pyfeat, "BATCH", 3)
    reds = list(range(0, 250, 25))
    found = pyfeat.PyFeatAU45().extract(make_clip(reds))
    assert found["face/au45"] == pytest.approx(np.array(reds) / 51)


def test_the_face_of_the_crop_is_taken_and_frames_without_it_are_filled(detector):
    clip = make_clip([51, 102, 255, 204], greens=[2, 0, 3, 1])
    found = pyfeat.PyFeatAU45().extract(clip)
    assert found["face/valid"].tolist() == [True, False, False, True]
    assert found["face/au45"] == pytest.approx([1, 2, 3, 4])


def test_a_clip_without_the_face_is_an_error_of_the_source(detector):
    with pytest.raises(SourceError, match=r"no face in talk\.mp4"):
        pyfeat.PyFeatAU45().extract(make_clip([9, 9], greens=[0, 3]))


def test_provenance_says_that_it_is_au43(detector):
    provenance = pyfeat.PyFeatAU45().provenance()
    assert provenance.backend == "pyfeat"
    assert "AU43" in provenance.note


def test_columns_that_are_missing_are_named(detector, monkeypatch):
    monkeypatch.setattr(FakeDetector, "rows", lambda self, paths: pd.DataFrame({"input": paths}))
    with pytest.raises(SetupError, match="gives no AU43"):
        pyfeat.PyFeatAU45().extract(make_clip([0]))


def test_without_py_feat_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "feat", None)
    with pytest.raises(SetupError, match=r"pip install 'ttk\[pyfeat\]'"):
        create_extractor("au45", "pyfeat")


def test_models_that_do_not_load_are_a_setup_error(monkeypatch):
    def refuse():
        raise OSError("no network")

    monkeypatch.setitem(sys.modules, "feat", types.SimpleNamespace(Detector=refuse))
    with pytest.raises(SetupError, match="no network"):
        pyfeat.PyFeatAU45()
