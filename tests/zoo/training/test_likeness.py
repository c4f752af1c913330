"""Pictures of several people are warned of, by whatever recognises faces."""

import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.numbered import find_real, read_all
from tests.sitters import draw_scene, write_pictures
from toolkit.weights import Status, check_weights
from zoo.data.portraits import Portraits, measure_portraits
from zoo.training import likeness
from zoo.training.face_network import FaceNetwork
from zoo.training.face_weights import NAME
from zoo.training.likeness import warn_of_others


class Recogniser:
    """Sees in a face one number, its mean level: 255 levels are 5.1 apart."""

    def __call__(self, faces: torch.Tensor) -> torch.Tensor:
        return (faces.mean(dim=(1, 2, 3)) * 2.55)[:, None].repeat(1, 1)


@pytest.fixture
def recogniser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "check_weights", lambda name: Status.INTACT)
    monkeypatch.setattr(FaceNetwork, "open", staticmethod(Recogniser))
    monkeypatch.setattr(likeness, "align_face", lambda picture, mesh: picture[:150, :150])


def make_portraits(*levels: int) -> Portraits:
    pictures = np.stack([np.full((256, 256, 3), level, np.uint8) for level in levels])
    return Portraits(
        path=Path("ann"), names=tuple(f"p{k}.png" for k in range(len(levels))), pictures=pictures,
        meshes=np.zeros((len(levels), 478, 3), np.float32), take=None, backend="drawn",
    )  # fmt: skip


@pytest.mark.usefixtures("recogniser")
def test_whoever_is_far_from_the_others_is_named() -> None:
    """Levels 100, 101, 102 are 0.02 apart; 200 is 1.98 from 101 in the middle."""
    said = r"ann: seems to show several people: see p1.png, up to 1.98 from the others; .* are 0.6"
    with pytest.warns(UserWarning, match=said):
        warn_of_others(make_portraits(100, 200, 101, 102))
    with pytest.warns(UserWarning, match=r"see p1.png and 1 more, up to 1.98"):
        warn_of_others(make_portraits(100, 200, 101, 102, 180, 101))


@pytest.mark.usefixtures("recogniser")
def test_pictures_of_one_person_are_not_warned_of() -> None:
    """Levels that are 25 apart lie 0.5 apart."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_others(make_portraits(100, 125, 125))
        warn_of_others(make_portraits(100))


def test_without_a_recogniser_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "check_weights", lambda name: Status.MISSING)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_others(make_portraits(0, 255))


@pytest.mark.skipif(check_weights(NAME) is not Status.INTACT, reason="needs the extra identity")
def test_one_face_in_several_lights_is_one_person(tmp_path: Path) -> None:
    lit = {f"p{k}": draw_scene((20, 30, 240), light=light) for k, light in enumerate((1, 0.8, 0.6))}
    portraits = measure_portraits(write_pictures(tmp_path / "ann", **lit))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_others(portraits)


@pytest.mark.real
@pytest.mark.skipif(check_weights(NAME) is not Status.INTACT, reason="needs the extra identity")
def test_frames_of_two_people_are_two_people(tmp_path: Path) -> None:
    """Of a man's two clips and a woman's one, she is named; his alone are one person's."""
    grid = "osalinasv_lipnet/grid_s1"
    names = (f"{grid}/bbaf2n.mkv", f"{grid}/bbaf3s.mkv", "rizkiarm_LipNet/evaluation/samples/GRID/")
    his = [read_all(find_real(name))[2] for name in names[:2]]
    hers = read_all(find_real(names[2] + "brbk7n.mpg"))[2]
    frames = {f"a{k}": film[20 * step] for k, (film, step) in enumerate(product(his, (0, 1, 2)))}
    folder = write_pictures(tmp_path / "ann", **frames)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_others(measure_portraits(folder))
    write_pictures(folder, b=hers[0])
    with pytest.warns(UserWarning, match="seems to show several people: see b.png, up to"):
        warn_of_others(measure_portraits(folder))
