"""ArcFace's ONNX files: what they are given, what comes out, and which files are refused."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.onnx_files import node, shaped, write_means, write_onnx
from tests.zoo.evaluation.moved_faces import MOVES, draw_face, find_discs, move
from toolkit.errors import SetupError
from toolkit.mesh import EYES68, LANDMARKS68, MOUTH_CORNERS, NOSE_TIP, NUM_LANDMARKS
from toolkit.storage import hash_file
from zoo.evaluation.arcface import align_face, open_arcface
from zoo.evaluation.onnx_file import read_graph

EXPECTED = np.array(
    [(38.79, 52.20), (74.03, 52.00), (56.53, 72.24), (42.05, 92.87), (71.23, 92.70)]
)
"""InsightFace's places of eyes, nose and mouth, to the right and below by half a pixel: from the
corner of the first pixel."""


def place_mesh(scale: float = 1.0, angle: float = 0.0, shift: complex = 0) -> np.ndarray:
    """(478, 3) mesh whose five points lie where they are expected, turned, scaled and moved."""
    mesh = np.full((NUM_LANDMARKS, 3), 60.0)
    marks = np.array(LANDMARKS68)
    rows = [marks[EYES68[0]], marks[EYES68[1]], NOSE_TIP, *MOUTH_CORNERS]
    for row, place in zip(rows, move(EXPECTED, scale, angle, shift), strict=True):
        mesh[row, :2] = place
    return mesh


def list_five(mesh: np.ndarray) -> np.ndarray:
    marks = np.array(LANDMARKS68)
    return mesh[[marks[EYES68[0]][0], marks[EYES68[1]][0], NOSE_TIP, *MOUTH_CORNERS], :2]


# --- alignment ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "angle", "shift"), MOVES)
def test_eyes_nose_and_mouth_come_where_the_networks_expect_them(
    scale: float, angle: float, shift: complex
) -> None:
    """To half a pixel, wherever the face is, however large and turned."""
    mesh = place_mesh(scale, angle, shift)
    face = align_face(draw_face(600, list_five(mesh), 4 * scale), mesh)
    assert face.shape == (112, 112, 3)
    expected = sorted(map(tuple, EXPECTED))
    np.testing.assert_allclose(find_discs(face), expected, atol=0.5)


@pytest.mark.filterwarnings("ignore:`estimate` is deprecated")
def test_a_face_is_aligned_as_insightface_aligns_it() -> None:
    """Its template and scikit-image's transform, of five points that fit it badly."""
    transform = pytest.importorskip("skimage.transform")
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 256, (300, 300, 3), np.uint8), (0, 0), 3)
    mesh = place_mesh(1.7, 20, 120 + 10j)
    mesh[NOSE_TIP, 0] += 9
    places = [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655),
              (70.7299, 92.2041)]  # fmt: skip
    similarity = transform.SimilarityTransform()
    similarity.estimate(list_five(mesh) - 0.5, np.array(places))
    expected = cv2.warpAffine(picture, similarity.params[:2], (112, 112), borderValue=0.0)
    np.testing.assert_allclose(align_face(picture, mesh).astype(int), expected, atol=1)


def test_it_is_black_beyond_the_picture() -> None:
    face = align_face(np.full((112, 56, 3), 200, np.uint8), place_mesh())
    assert (face[:, :55] == 200).all()
    assert (face[:, 57:] == 0).all()


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("views", [False, True])
def test_a_network_of_insightfaces_operators_gives_what_torch_gives(
    tmp_path: Path, views: bool
) -> None:
    """A residual block between halving convolutions, and a layer of 512 behind it.

    The batch is flattened by one operator, or by its own size, as torch's `view` is written.
    """
    rng = np.random.default_rng(1)
    shapes = {
        "w1": (4, 3, 5, 5), "w2": (4, 1, 3, 3), "w3": (4, 4, 1, 1), "w4": (4, 4, 5, 5),
        "p1": (4, 1, 1), "p2": (4, 1, 1), "w5": (512, 196), "b5": (512,),
    }  # fmt: skip
    weights = {name: rng.normal(0, 0.2, shape) for name, shape in shapes.items()}
    for name, size in (("n1", 4), ("n2", 4), ("n3", 512)):
        weights |= {f"{name}{k}": rng.uniform(0.5, 1.5, size) for k in "smv"}
        weights[f"{name}t"] = rng.normal(0, 0.2, size)

    def norm(name: str, before: str, after: str) -> bytes:
        return node("BatchNormalization", [before, *(name + k for k in "stmv")], after,
                    epsilon=1e-5)  # fmt: skip

    flatten = [node("Flatten", ["d"], "flat", axis=1)]
    if views:
        weights |= {"axis": np.int64(0), "rest": np.array([-1])}
        flatten = [
            node("Shape", ["d"], "shape"), node("Gather", ["shape", "axis"], "num", axis=0),
            node("Unsqueeze", ["num"], "nums", axes=[0]),
            node("Concat", ["nums", "rest"], "sizes", axis=0),
            node("Reshape", ["d", "sizes"], "flat"),
        ]  # fmt: skip
    path = write_onnx(tmp_path / "r.onnx", [
        node("Conv", ["x", "w1"], "c1", kernel_shape=[5, 5], strides=[4, 4], pads=[1, 1, 1, 1]),
        node("PRelu", ["c1", "p1"], "a"),
        norm("n1", "a", "b1"),
        node("Conv", ["b1", "w2"], "c2", kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=4),
        node("PRelu", ["c2", "p2"], "c3"),
        node("Conv", ["c3", "w3"], "c4", kernel_shape=[1, 1]),
        node("Add", ["c4", "a"], "sum"),
        node("Conv", ["sum", "w4"], "c5", kernel_shape=[5, 5], strides=[4, 4], pads=[1, 1, 1, 1]),
        norm("n2", "c5", "b2"),
        node("Dropout", ["b2"], "d", ratio=0.4),
        *flatten,
        node("Gemm", ["flat", "w5", "b5"], "g", transB=1),
        norm("n3", "g", "y"),
    ], weights)  # fmt: skip
    w = {name: torch.from_numpy(np.asarray(v)) for name, v in weights.items()}
    face = rng.integers(0, 256, (112, 112, 3), np.uint8)
    x = (torch.from_numpy(face).double().permute(2, 0, 1)[None] - 127.5) / 127.5
    a = functional.prelu(functional.conv2d(x, w["w1"], stride=4, padding=1), w["p1"].ravel())
    b = functional.batch_norm(a, w["n1m"], w["n1v"], w["n1s"], w["n1t"])
    b = functional.prelu(functional.conv2d(b, w["w2"], padding=1, groups=4), w["p2"].ravel())
    c = functional.conv2d(functional.conv2d(b, w["w3"]) + a, w["w4"], stride=4, padding=1)
    c = functional.batch_norm(c, w["n2m"], w["n2v"], w["n2s"], w["n2t"])
    d = functional.linear(c.flatten(1), w["w5"], w["b5"])
    expected = functional.batch_norm(d, w["n3m"], w["n3v"], w["n3s"], w["n3t"])
    np.testing.assert_allclose(open_arcface(path).run(face), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("before", "weights", "expected"),
    [
        ([], {}, (1, -1, -0.6)),
        (
            [node("Sub", ["x", "m"], "less"), node("Mul", ["less", "s"], "scaled")],
            {"m": np.array([127.5]), "s": np.array([0.0078125])},
            (0.99609375, -0.99609375, -0.59765625),
        ),
    ],
)
def test_levels_reach_the_network_in_its_scale_red_first(
    tmp_path: Path, before: list[bytes], weights: dict, expected: tuple[float, ...]
) -> None:
    """(255, 0, 51) as −1 to 1; as they are where the network scales them itself, here by 128."""
    judge = open_arcface(write_means(tmp_path / "m.onnx", before=before, weights=weights))
    picture = np.full((200, 200, 3), (255, 0, 51), np.uint8)
    found = judge.describe(picture, place_mesh(1, 0, 40 + 40j))
    assert found.shape == (512,)
    np.testing.assert_allclose(found, np.resize(expected, 512), rtol=2e-4)  # of float32 sums


def test_a_judge_is_named_by_file_and_digest(tmp_path: Path) -> None:
    path = write_means(tmp_path / "w600k_tiny.onnx")
    assert open_arcface(path).label == f"w600k_tiny.onnx, sha256 {hash_file(path)[:12]}…"


def test_weights_that_are_named_as_inputs_are_no_inputs(tmp_path: Path) -> None:
    """As files of the first versions of ONNX name them."""
    path = write_means(tmp_path / "m.onnx", inputs=[shaped("spread", (512, 3, 1, 1))])
    assert read_graph(path.read_bytes()).inputs == [(-1, 3, 112, 112)]
    assert open_arcface(path)


# --- refused ------------------------------------------------------------------------------------


def write_damaged(path: Path) -> None:
    path.write_bytes(write_means(path).read_bytes()[:-300])


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "judge.onnx: no such file"),
        (Path.mkdir, "judge.onnx: a folder: give the ONNX file in it"),
        (Path.touch, "ArcFace's layout: no ONNX network"),
        (lambda path: path.write_text("a text\n" * 90), "ArcFace's layout: no ONNX network"),
        (write_damaged, "ArcFace's layout: no ONNX network"),
        (lambda path: write_means(path, shape=("n", 3, 160, 160)),
         r"its input is \(\?, 3, 160, 160\), not \(\?, 3, 112, 112\)"),
        (lambda path: write_means(path, shape=(1, 112, 112, 3)), r"input is \(1, 112, 112, 3\)"),
        (lambda path: write_means(path, shape=(1, 3, "h", "w")), r"its input is \(1, 3, \?, \?\)"),
        (lambda path: write_means(path, inputs=[shaped("z", (1, 5))]),
         r"its input is \(\?, 3, 112, 112\) and \(1, 5\), not"),
        (lambda path: write_means(path, size=128), r"its output is \(1, 128\), not \(1, 512\)"),
        (lambda path: write_means(path, before=[node("Invented", ["x"], "scaled")]),
         "OpenCV .* cannot run it"),
        (lambda path: write_onnx(path, [node("Gemm", ["x", "w"], "y")], {"w": np.ones((5, 512))}),
         "OpenCV .* cannot run it"),
        (lambda path: write_means(path, before=[node("Add", ["x", "m"], "scaled")],
                                  weights={"m": np.array([np.nan])}), "output is not finite"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_one_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], write, message: str
) -> None:
    """OpenCV prints nothing beside it."""
    path = tmp_path / "judge.onnx"
    write(path)
    with pytest.raises(SetupError, match=message):
        open_arcface(path)
    assert capfd.readouterr() == ("", "")
