"""AU45 by py-feat, with a stand-in that takes only what the real package takes."""

import importlib.metadata
import inspect
import logging
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from toolkit.errors import SetupError, SourceError
from toolkit.features import create_extractor, pyfeat
from toolkit.schema import ClipInput
from toolkit.storage import hash_file

VERSION = "2.1.5"
SIGNATURES = {
    "__init__": "(self, device='cpu', face_detection_threshold=0.5, identity_model='arcface', "
    "multitask_weights=None, amp=None, compile=False)",
    "detect": "(self, inputs, data_type='image', output_size=None, batch_size=1, num_workers=0, "
    "pin_memory=False, face_identity_threshold=0.8, face_detection_threshold=None, "
    "skip_frames=None, progress_bar=True, **kwargs)",
}
"""Of `Detectorv2` of that version, as `inspect.signature` writes them."""

COLUMNS = [
    f"AU{number:02d}"
    for number in (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)
]
BOX = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"]


def bind(name, *args, **kwargs):
    """Arguments by name as the real method takes them; TypeError where it would not."""
    namespace = {}
    exec(f"def method{SIGNATURES[name]}: ...", namespace)
    bound = inspect.signature(namespace["method"]).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


class FakeDetector:
    """Reads the pictures: red is 255·AU43, green marks how many faces there are."""

    calls = 0
    columns = (*COLUMNS, *BOX, "input")

    def __init__(self, *args, **kwargs):
        given = bind("__init__", self, *args, **kwargs)
        assert given["identity_model"] is None  # its weights are not in FILES
        assert Path(given["multitask_weights"]).name == "face_multitask_v28.safetensors"
        torch.set_grad_enabled(False)  # as the real one does

    def detect(self, *args, **kwargs):
        given = bind("detect", self, *args, **kwargs)
        assert given["data_type"] == "image"
        assert not given["progress_bar"]
        return self.rows(given["inputs"])

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
        return pd.DataFrame(rows).reindex(columns=self.columns)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Files on the hub, name -> content, and the folder of those that were fetched."""
    published = {f"{repo}/{file}": file.encode() for repo, file in pyfeat.FILES.items()}

    def download(repo_id, filename, *, cache_dir, local_files_only=False):
        path, name = Path(cache_dir) / filename, f"{repo_id}/{filename}"
        if not path.exists() and local_files_only:
            raise FileNotFoundError("not in the cache")
        if not path.exists() and name not in published:
            logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 1s")
            raise OSError("no network")
        if not path.exists():
            path.write_bytes(published[name])
        return str(path)

    monkeypatch.setitem(
        sys.modules, "huggingface_hub", types.SimpleNamespace(hf_hub_download=download)
    )
    return types.SimpleNamespace(published=published, folder=tmp_path)


@pytest.fixture
def package(hub, monkeypatch):
    """py-feat, whose resources lie in the hub fixture's folder."""
    feat = types.SimpleNamespace(Detectorv2=FakeDetector)
    io = types.SimpleNamespace(get_resource_path=lambda: str(hub.folder))
    monkeypatch.setitem(sys.modules, "feat", feat)
    monkeypatch.setitem(sys.modules, "feat.utils", types.SimpleNamespace(io=io))
    monkeypatch.setitem(sys.modules, "feat.utils.io", io)
    real = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: VERSION if name == "py-feat" else real(name)
    )
    FakeDetector.calls = 0
    return feat


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


def test_eyes_closed_from_0_to_1_become_0_to_5(package):
    found = create_extractor("au45", "pyfeat").extract(make_clip([0, 51, 255]))
    assert found["face/au45"] == pytest.approx([0, 1, 5])
    assert found["face/au45"].dtype == np.float32
    assert found["face/valid"].all()


def test_a_repeated_frame_is_measured_once(package):
    clip = make_clip([0, 51, 102], index=[0, 0, 1, 1, 2])
    found = pyfeat.PyFeatAU45().extract(clip)
    assert found["face/au45"] == pytest.approx([0, 0, 1, 1, 2])
    assert FakeDetector.calls == 3


def test_every_frame_has_its_row_over_several_batches(package, monkeypatch):
    monkeypatch.setattr(pyfeat, "BATCH", 3)
    reds = list(range(0, 250, 25))
    found = pyfeat.PyFeatAU45().extract(make_clip(reds))
    assert found["face/au45"] == pytest.approx(np.array(reds) / 51)


def test_the_face_of_the_crop_is_taken_and_frames_without_it_are_filled(package):
    clip = make_clip([51, 102, 255, 204], greens=[2, 0, 3, 1])
    found = pyfeat.PyFeatAU45().extract(clip)
    assert found["face/valid"].tolist() == [True, False, False, True]
    assert found["face/au45"] == pytest.approx([1, 2, 3, 4])


def test_a_clip_without_the_face_is_an_error_of_the_source(package):
    with pytest.raises(SourceError, match=r"no face in talk\.mp4"):
        pyfeat.PyFeatAU45().extract(make_clip([9, 9], greens=[0, 3]))


def test_provenance_says_that_it_is_au43_and_whose_weights(package, hub):
    provenance = pyfeat.PyFeatAU45().provenance()
    assert (provenance.backend, provenance.version) == ("pyfeat", VERSION)
    assert "probability of AU43" in provenance.note
    assert provenance.weights_sha256 == hash_file(hub.folder / "face_multitask_v28.safetensors")


def test_gradients_stay_on(package):
    pyfeat.PyFeatAU45()
    assert torch.is_grad_enabled()


def test_columns_that_are_missing_are_named(package, monkeypatch):
    monkeypatch.setattr(FakeDetector, "columns", ("input", *BOX))
    with pytest.raises(SetupError, match=r"gives no AU43: pip install py-feat==2\.1\.5"):
        pyfeat.PyFeatAU45().extract(make_clip([0]))


# --- what keeps it from running: one line each --------------------------------------------------


def read_error():
    """The message of the error that creating the backend ends in."""
    with pytest.raises(SetupError) as caught:
        create_extractor("au45", "pyfeat")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_py_feat_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "feat", None)
    assert read_error().endswith("py-feat is not installed: pip install 'ttk[pyfeat]'")


def test_a_version_without_the_detector_is_told_the_version_to_install(package):
    del package.Detectorv2
    assert read_error() == "this py-feat has no Detectorv2: pip install py-feat==2.1.5"


@pytest.mark.parametrize(
    "error", [RuntimeError("operator torchvision::nms does not exist\nat x"), OSError("libnvrtc")]
)
def test_libraries_that_do_not_fit_are_no_advice_to_install_py_feat(monkeypatch, error):
    """As torchvision and torchcodec fail beside a torch of another build."""

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name == "feat":
                raise error

    for name in [name for name in sys.modules if name.partition(".")[0] == "feat"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    message = read_error()
    assert str(error).partition("\n")[0] in message
    assert "same kind as torch" in message
    assert "pip install" not in message


def test_models_that_cannot_be_fetched_are_named_with_their_place(package, hub, caplog):
    for name in hub.published.copy():
        del hub.published[name]
    message = read_error()
    for repo, file in pyfeat.FILES.items():
        assert f"{repo}/{file}" in message
    assert message.endswith(f"to {hub.folder}")
    assert caplog.records == []  # of the hub's tries
    (hub.folder / "model.safetensors").touch()
    assert "retinaface" not in read_error()  # that one is there


def test_models_that_do_not_load_are_a_setup_error_that_names_the_files(package, hub):
    def refuse(**_):
        raise RuntimeError("metadata missing 'config'")

    package.Detectorv2 = refuse
    assert str(hub.folder / "face_multitask_v28.safetensors") in read_error()


# --- the real package ---------------------------------------------------------------------------


@pytest.fixture
def real():
    """py-feat, where it is installed and can be imported."""
    try:
        import feat
    except Exception as error:
        pytest.skip(f"py-feat cannot be imported: {error}")
    return feat


def test_the_stand_ins_signatures_are_the_real_ones(real):
    found = {name: str(inspect.signature(getattr(real.Detectorv2, name))) for name in SIGNATURES}
    assert (real.__version__, found) == (VERSION, SIGNATURES)


def test_units_and_files_are_those_of_the_real_package(real):
    from feat import utils
    from feat.face_detectors.Retinaface.Retinaface_test import Retinaface
    from feat.multitask import AU_COLUMNS_V2, inference
    from huggingface_hub import hf_hub_download

    assert AU_COLUMNS_V2 == COLUMNS
    assert utils.FEAT_FACEBOX_COLUMNS[:4] == BOX
    (detector, file), (network, weights) = pyfeat.FILES.items()
    assert (network, weights) == (inference.HF_REPO, inference.HF_WEIGHTS_FILE)
    source = inspect.getsource(Retinaface)
    assert f'repo_id="{detector}"' in source
    assert f' filename="{file}"' in source
    inspect.signature(hf_hub_download).bind(detector, file, cache_dir=Path(), local_files_only=True)
