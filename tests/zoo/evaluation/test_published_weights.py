"""Inception, FaceNet and LPIPS: the published layouts, pinned numbers, which files are refused.

Pinned numbers are what the published packages' own networks give under the same drawn weights:
pytorch-fid 0.3.0, facenet-pytorch 2.6.0, lpips 0.1.4 on torchvision 0.28.0, torch 2.13.0.
"""

import functools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.published_files import (
    draw_picture,
    draw_weights,
    install_layers,
    list_layers,
    list_shapes,
    write_alike,
)
from toolkit.errors import SetupError
from toolkit.storage import hash_file
from zoo.evaluation import learned_distance, published_weights
from zoo.evaluation.facenet import ABOVE, FaceNet, FaceNetJudge, cut_face, open_facenet
from zoo.evaluation.inception import FidJudge, Inception, Mixed, open_fid_judge
from zoo.evaluation.learned_distance import (
    BACKBONES,
    Features,
    LpipsJudge,
    open_lpips,
    read_linear,
)
from zoo.evaluation.published_weights import PublishedFile, read_weights, write_label

ALEX, VGG = BACKBONES["lpips_alex"], BACKBONES["lpips_vgg"]
ALEXNET, VGG16 = (functools.partial(Features, backbone) for backbone in (ALEX, VGG))
VGGFACE2 = functools.partial(FaceNet, 8631)


def fill(create: Callable[[], nn.Module]) -> nn.Module:
    """A network with drawn weights, for use."""
    network = create()
    network.load_state_dict(draw_weights(list_shapes(create)))
    return network.eval()


def fill_features(backbone) -> nn.Module:
    """Its convolutions alone."""
    return fill(functools.partial(Features, backbone._replace(classifier={})))


# --- layout -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("create", "num_tensors", "num_numbers", "some"),
    [
        (Inception, 566, 23885486, {
            "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
            "Mixed_5b.branch5x5_2.conv.weight": (64, 48, 5, 5),
            "Mixed_6a.branch3x3dbl_3.bn.running_var": (96,),
            "Mixed_6b.branch7x7dbl_2.conv.weight": (128, 128, 7, 1),
            "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
            "Mixed_7c.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
            "Mixed_7c.branch_pool.bn.bias": (192,),
            "fc.weight": (1008, 2048),
        }),
        (VGGFACE2, 716, 27940039, {
            "conv2d_4b.conv.weight": (256, 192, 3, 3),
            "repeat_1.4.branch2.2.bn.weight": (32,),
            "repeat_2.9.branch1.1.conv.weight": (128, 128, 1, 7),
            "mixed_6a.branch0.conv.weight": (384, 256, 3, 3),
            "mixed_7a.branch2.2.conv.weight": (256, 256, 3, 3),
            "block8.conv2d.bias": (1792,),
            "last_linear.weight": (512, 1792),
            "last_bn.running_mean": (512,),
            "logits.weight": (8631, 512),
        }),
        (ALEXNET, 16, 61100840, {
            "features.0.weight": (64, 3, 11, 11), "features.10.bias": (256,),
            "classifier.1.weight": (4096, 9216), "classifier.6.bias": (1000,),
        }),
        (VGG16, 32, 138357544, {
            "features.0.weight": (64, 3, 3, 3), "features.28.weight": (512, 512, 3, 3),
            "classifier.0.weight": (4096, 25088), "classifier.6.bias": (1000,),
        }),
    ],
)  # fmt: skip
def test_names_and_shapes_are_those_of_the_published_files(
    create, num_tensors: int, num_numbers: int, some: dict[str, tuple[int, ...]]
) -> None:
    """Counted in the packages' networks, counters of batch normalisation included."""
    shapes = list_shapes(create)
    assert len(shapes) == num_tensors
    assert sum(math.prod(shape) for shape in shapes.values()) == num_numbers
    assert {name: shapes[name] for name in some} == some


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pool", "corner", "middle"), [("mean", 3, 5), ("max", 5, 9)])
def test_a_block_pools_without_the_border_that_it_adds(
    pool: str, corner: float, middle: float
) -> None:
    """Of 1 to 9: in a corner 1, 2, 4 and 5, and no zeros. The first channel is not pooled."""
    block = Mixed(1, [[("1x1", 1, 1, 1)]], pool, 1).eval()
    for unit in (block.get_submodule("branch1x1"), block.branch_pool):
        nn.init.ones_(unit.conv.weight)
    with torch.inference_mode():
        found = block(torch.arange(1.0, 10).reshape(1, 1, 3, 3))[0] * math.sqrt(1 + 1e-3)
    np.testing.assert_allclose(found[0].ravel(), range(1, 10), rtol=1e-6)
    assert (found[1, 0, 0], found[1, 1, 1]) == pytest.approx((corner, middle))


def test_a_branch_of_the_last_blocks_forks() -> None:
    """Both ends see what is before them: rows 1 + 2 + 3 beside columns 1 + 4 + 7, of 1 to 9."""
    fork = (("3x3_2a", 1, (1, 3), 1), ("3x3_2b", 1, (3, 1), 1))
    block = Mixed(1, [[("3x3_1", 1, 1, 1), fork]], "mean", 1).eval()
    for name in ("3x3_1", "3x3_2a", "3x3_2b"):
        nn.init.ones_(block.get_submodule(f"branch{name}").conv.weight)
    with torch.inference_mode():
        row, column, _ = block(torch.arange(1.0, 10).reshape(1, 1, 3, 3))[0] * (1 + 1e-3)
    assert (row[0, 1], column[1, 0]) == pytest.approx((6, 12))  # of two normalisations


def test_inception_gives_what_pytorch_fid_gives() -> None:
    """The first and the last number of each part of the last block, and of all the deviation."""
    found = FidJudge(fill(Inception), "").describe(draw_picture(120, 160))
    places = [0, 319, 320, 1087, 1088, 1855, 1856, 2047]
    expected = [1.408315, 0.01791479, 5.341901, 4.343176, 2.377814, 11.83204, 0.2057307, 0]
    assert found.shape == (2048,)
    np.testing.assert_allclose(found[places], expected, rtol=1e-4, atol=1e-5)
    assert (found.mean(), found.std()) == pytest.approx((3.560358, 5.008127), rel=1e-4)


def test_facenet_gives_what_facenet_pytorch_gives() -> None:
    found = FaceNetJudge(fill(VGGFACE2), "").run(draw_picture(160, 160))
    expected = [0.008467463, 0.01399845, 0.02224261, 0.08426579, 0.06926656]
    np.testing.assert_allclose(found[[0, 100, 255, 256, 511]], expected, rtol=1e-3, atol=1e-5)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        ("lpips_alex", [0.4570361, 0.2350285, 0.08598702, 0.07235377, 0.06254077]),
        ("lpips_vgg", [0.3294716, 0.2165725, 0.1202956, 0.06554458, 0.03542583]),
    ],
)
def test_lpips_is_that_of_the_package_at_each_depth(array: str, expected: list[float]) -> None:
    backbone = BACKBONES[array]
    judge = LpipsJudge(array, fill_features(backbone), list_layers(backbone.name), "")
    picture = draw_picture(72, 96)
    np.testing.assert_allclose(judge.compare(picture, picture[::-1].copy()), expected, rtol=1e-4)
    assert judge.compare(picture, picture).tolist() == [0] * 5


def test_the_layers_of_lpips_are_read_from_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_layers(tmp_path, monkeypatch)
    for name in ("alex", "vgg"):
        for layer, expected in zip(read_linear(name), list_layers(name), strict=True):
            torch.testing.assert_close(layer, expected)


def test_without_the_package_or_with_another_version_lpips_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install = "pip install --no-deps lpips==0.1.4"
    monkeypatch.setattr(learned_distance, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match=f"needs the layers of lpips 0.1.4: {install}"):
        read_linear("alex")
    install_layers(tmp_path, monkeypatch)
    (tmp_path / "lpips" / "weights" / "v0.1" / "alex.pth").write_bytes(b"others")
    with pytest.raises(SetupError, match=f"alex.pth: not the layers of lpips 0.1.4: {install}"):
        read_linear("alex")


@pytest.mark.parametrize(("array", "least"), [("lpips_alex", 31), ("lpips_vgg", 16)])
def test_pictures_that_are_too_small_for_lpips_are_refused(array: str, least: int) -> None:
    backbone = BACKBONES[array]
    judge = LpipsJudge(array, fill_features(backbone), list_layers(backbone.name), "")
    small = draw_picture(least, 40)
    assert np.isfinite(judge.compare(small, small[::-1].copy())).all()
    with pytest.raises(ValueError, match=f"40 × {least - 1} px: LPIPS needs {least} at least"):
        judge.compare(small[1:], small[1:])


# --- a face's square ----------------------------------------------------------------------------


def place_mesh(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """A mesh of such a box; its irises, which do not count, lie elsewhere."""
    mesh = np.full((478, 3), 500.0)
    mesh[:468, :2] = (left + right) / 2, (top + bottom) / 2
    mesh[0, :2], mesh[1, :2] = (left, top), (right, bottom)
    return mesh


def test_a_face_is_cut_upright_with_a_tenth_above_and_made_a_square() -> None:
    """Of 80 × 100 px, so that 10 px more above: white, and black around them."""
    assert ABOVE == 0.1
    picture = np.zeros((300, 300, 3), np.uint8)
    picture[90:200, 120:200] = 255
    face = cut_face(picture, place_mesh(120.6, 100, 200.4, 200))
    assert face.shape == (160, 160, 3)
    assert (face == 255).all()


def test_a_face_that_leaves_the_picture_is_cut_at_its_edge() -> None:
    picture = draw_picture(64, 64)
    outside = cut_face(picture, place_mesh(-30, -30, 90, 90))
    np.testing.assert_array_equal(outside, cut_face(picture, place_mesh(0, 0, 64, 64)))
    assert cut_face(picture, place_mesh(-50, -50, -10, -10)).shape == (160, 160, 3)


# --- files --------------------------------------------------------------------------------------

OPENED = {
    "fid.pth": (open_fid_judge, Inception),
    "facenet.pt": (open_facenet, VGGFACE2),
    "alexnet.pth": (open_lpips, ALEXNET),
    "vgg16.pth": (open_lpips, VGG16),
}


@pytest.mark.parametrize("name", OPENED)
def test_a_file_of_the_published_layout_is_opened_and_named(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it lacks the counters of batch normalisation."""
    install_layers(tmp_path, monkeypatch)
    opened, create = OPENED[name]
    shapes = {k: shape for k, shape in list_shapes(create).items() if "num_batches" not in k}
    path = write_alike(tmp_path / name, shapes)
    assert f"{name}, sha256 {hash_file(path)[:12]}…" in opened(path, "cpu").label


def test_a_file_is_read_once_in_a_process(tmp_path: Path) -> None:
    """However many videos it judges."""
    path = write_alike(tmp_path / "fid.pth", list_shapes(Inception))
    assert open_fid_judge(path, "cpu") is open_fid_judge(path, "cpu")


def test_another_training_of_a_published_layout_is_named_a_stand_in(tmp_path: Path) -> None:
    """Publishers put the beginning of the digest into the file's name."""
    path = write_alike(tmp_path / "own.pth", list_shapes(Inception))
    label = open_fid_judge(path, "cpu").label
    assert label.endswith("a stand-in for pytorch-fid's pt_inception-2015-12-05-6726825d.pth")
    known = PublishedFile("", "", (hash_file(path)[:8],))
    assert write_label(path, known) == f"own.pth, sha256 {hash_file(path)[:12]}…"


@pytest.mark.parametrize(
    ("num", "named"), [(8631, "FaceNet of VGGFace2"), (10575, "FaceNet of CASIA-WebFace")]
)
def test_facenet_is_named_by_the_people_it_was_trained_on(
    tmp_path: Path, num: int, named: str
) -> None:
    create = functools.partial(FaceNet, num)
    path = write_alike(tmp_path / "f.pt", list_shapes(create))
    assert open_facenet(path, "cpu").label.startswith(named)


def test_lpips_takes_alexnet_or_vgg16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_layers(tmp_path, monkeypatch)
    for array, backbone in BACKBONES.items():
        create = functools.partial(Features, backbone)
        path = write_alike(tmp_path / array, list_shapes(create))
        judge = open_lpips(path, "cpu")
        assert judge.array == array
        assert "layers of lpips 0.1.4 (v0.1)" in judge.label


def change(name: str, shape: tuple[int, ...] | None, create=Inception):
    """Writes the file with a tensor of another shape, or without it."""

    def write(path: Path) -> None:
        shapes = list_shapes(create) | ({} if shape is None else {name: shape})
        write_alike(path, {k: v for k, v in shapes.items() if k != name or shape is not None})

    return write


def write_nan(path: Path) -> None:
    weights = torch.load(write_alike(path, list_shapes(Inception)), weights_only=True)
    torch.save(weights | {"fc.bias": torch.full((1008,), math.nan)}, path)


REFUSED = [
    (open_fid_judge, lambda path: None, "judge: no such file"),
    (open_fid_judge, Path.mkdir, "judge: a folder: give the file in it"),
    (open_fid_judge, lambda path: path.write_text("a text\n" * 90),
     r"judge: not FID's Inception \(pytorch-fid's .*\.pth\): it is no file of plain torch weights"),
    (open_fid_judge, lambda path: torch.save({"a": 1}, path), "more than names and tensors"),
    (open_fid_judge, lambda path: torch.save([torch.ones(1)], path), "more than names and tensors"),
    (open_fid_judge, change("AuxLogits.fc.weight", (1000, 768)),
     "it is torchvision's Inception, which gives other numbers"),
    (open_fid_judge, change("fc.weight", (1000, 2048)),
     r"fc.weight is \(1000, 2048\), not \(1008, 2048\)"),
    (open_fid_judge, change("Mixed_7c.branch1x1.bn.bias", None),
     "it lacks Mixed_7c.branch1x1.bn.bias"),
    (open_fid_judge, change("more", (3,)), "it has more besides"),
    (open_fid_judge, write_nan, "fc.bias is not finite"),
    (open_fid_judge, change("x", None, VGGFACE2), "it lacks Conv2d_1a_3x3.conv.weight"),
    (open_facenet, change("logits.bias", (100,), VGGFACE2),
     r"not FaceNet \(.*\): logits.bias is \(100,\), not \(8631,\)"),
    (open_facenet, change("logits.bias", None, VGGFACE2), "it lacks logits.bias"),
    (open_facenet, change("x", None, ALEXNET), "it lacks conv2d_1a.conv.weight"),
    (open_lpips, change("x", None, Inception), "not AlexNet or VGG16 .*: it holds another network"),
    (open_lpips, change("features.34.weight", (512, 512, 3, 3), VGG16), "holds another network"),
    (open_lpips, change("classifier.6.bias", None, ALEXNET),
     "not AlexNet .*: it lacks classifier.6.bias"),
    (open_lpips, change("classifier.6.bias", (10,), VGG16),
     r"not VGG16 .*: classifier.6.bias is \(10,\), not \(1000,\)"),
]  # fmt: skip


@pytest.mark.parametrize(("opened", "write", "message"), REFUSED)
def test_a_file_of_another_kind_is_one_error(tmp_path: Path, opened, write, message: str) -> None:
    path = tmp_path / "judge"
    write(path)
    with pytest.raises(SetupError, match=message) as error:
        opened(path, "cpu")
    assert "\n" not in str(error.value)


def test_half_precision_is_read_as_single(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2, dtype=torch.float16), "b": torch.tensor(3)}, tmp_path / "h")
    found = read_weights(tmp_path / "h", published_weights.PublishedFile("", ""))
    assert (found["a"].dtype, found["b"].dtype) == (torch.float32, torch.int64)
