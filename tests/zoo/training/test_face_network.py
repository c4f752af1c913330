"""dlib's face recogniser in plain torch: its arithmetic, and the files it is read from."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.zoo.training.drawn_face import Layer, draw_layers
from toolkit import weights as registry
from toolkit.errors import SetupError
from toolkit.weights import Status, check_weights
from zoo.training.face_network import LEAST_SIDE, SIDE, FaceNetwork, _Block
from zoo.training.face_weights import (
    DLIB,
    FACE_API,
    NAME,
    Convolution,
    find_face_weights,
    read_face_weights,
)

MANIFEST = "face_recognition_model-weights_manifest.json"

DLIB_SAYS = [-0.05656, 0.1234, 0.03143, -0.01535, -0.06092, -0.04362]
DLIB_LENGTH = 1.30466


def write_integer(value: int) -> bytes:
    """As dlib does: how many bytes, then these, the lowest first."""
    size = max(1, (value.bit_length() + 7) // 8)
    return bytes([size]) + value.to_bytes(size, "little")


def write_tensor(*values: np.ndarray, rows: int = 1) -> bytes:
    flat = np.concatenate([v.ravel() for v in values]).astype("<f4")
    sizes = (2, flat.size // rows, rows, 1, 1)
    return b"".join(map(write_integer, sizes)) + flat.tobytes()


def write_dlib(path: Path, layers: list[Layer], leave: np.ndarray) -> None:
    content = b"\x01\x01loss_metric_2"
    for filters, bias, scale, shift in layers:
        content += b"\x01\x05con_4" + write_tensor(filters, bias) + b"\x01\x01"
        content += b"\x01\x07affine_" + write_tensor(scale, shift) + b"\x01\x01"
    content += b"\x01\x04fc_2" + write_integer(128) + write_integer(256)
    path.write_bytes(content + write_tensor(leave.T, rows=128))


def write_face_api(folder: Path, layers: list[Layer], leave: np.ndarray) -> None:
    """All as float32 but the last layer, which has 8 bits."""
    entries, content = [], b""
    for filters, *vectors in layers:
        for values in (filters.transpose(2, 3, 1, 0), *vectors):
            entries.append({"name": "", "shape": values.shape, "dtype": "float32"})
            content += values.astype("<f4").tobytes()
    least, scale = float(leave.min()), float(np.ptp(leave)) / 255
    content += np.rint((leave.T - least) / scale).astype(np.uint8).tobytes()
    quantised = {"dtype": "uint8", "scale": scale, "min": least}
    entries.append({"name": "", "shape": leave.T.shape, "quantization": quantised})
    (folder / FACE_API).write_bytes(content)
    (folder / MANIFEST).write_text(json.dumps([{"weights": entries, "paths": [FACE_API]}]))


@pytest.fixture(scope="module")
def weights() -> tuple[list[Layer], np.ndarray]:
    return draw_layers()


@pytest.fixture(scope="module")
def network(
    tmp_path_factory: pytest.TempPathFactory, weights: tuple[list[Layer], np.ndarray]
) -> FaceNetwork:
    path = tmp_path_factory.mktemp("face") / "drawn.dat"
    write_dlib(path, *weights)
    return FaceNetwork.open(path)


def test_a_file_of_dlibs_is_read_as_it_was_written(
    network: FaceNetwork, weights: tuple[list[Layer], np.ndarray]
) -> None:
    """Scale and shift of each channel are folded into its filters and bias."""
    layers, leave = weights
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 29
    for module, (filters, bias, scale, shift) in zip(convolutions, layers, strict=True):
        expected = filters * scale[:, None, None, None]
        np.testing.assert_allclose(module.weight, expected, rtol=1e-6)
        np.testing.assert_allclose(module.bias, bias * scale + shift, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(network.leave.weight, leave)
    assert network.label == f"dlib face recognition ResNet, drawn.dat, sha256 {network.sha256[:12]}"


def test_a_file_of_8_bits_differs_by_half_a_step_at_most(
    tmp_path: Path, network: FaceNetwork, weights: tuple[list[Layer], np.ndarray]
) -> None:
    write_face_api(tmp_path, *weights)
    other = FaceNetwork.open(tmp_path)
    for name, values in network.stem.state_dict().items():
        torch.testing.assert_close(other.stem.state_dict()[name], values)
    away = (other.leave.weight - network.leave.weight).abs().max()
    assert 0 < away <= np.ptp(weights[1]) / 255 / 2 * 1.001


def test_a_convolution_takes_scale_and_shift_of_a_channel_in() -> None:
    """(2x + 3)·10 + 1 = 20x + 31."""
    one = np.ones((1, 1, 1, 1), np.float32)
    folded = Convolution.fold(2 * one, 3 * one[0, 0, 0], 10 * one[0, 0, 0], one[0, 0, 0])
    assert (folded.weight.item(), folded.bias.item()) == (20, 31)


def test_a_halving_block_adds_what_went_in_with_zeros_where_it_is_smaller() -> None:
    """4 × 4 of one channel become 2 × 2 of two; the convolutions, without padding, make 1 × 1."""
    block = _Block(1, 2, halves=True)
    for layer in (block.first, block.second):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    torch.nn.init.constant_(block.second.bias, 10)
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    expected = [[[2.5 + 10, 4.5], [10.5, 12.5]], [[10, 0], [0, 0]]]
    assert block(x)[0].tolist() == expected


def test_maps_of_five_depths_and_128_features(network: FaceNetwork) -> None:
    faces = torch.zeros(2, 3, SIDE, SIDE)
    maps = network.features(faces)
    assert [m.shape[1:] for m in maps] == [
        (32, 35, 35), (64, 17, 17), (128, 8, 8), (256, 4, 4), (256, 2, 2)
    ]  # fmt: skip
    features = network(faces)
    assert features.shape == (2, 128)
    torch.testing.assert_close(features, maps[-1].mean((2, 3)) @ network.leave.weight.T)


def test_gradients_reach_the_pictures_and_no_weight(network: FaceNetwork) -> None:
    pictures = torch.zeros(1, 3, LEAST_SIDE, LEAST_SIDE, requires_grad=True)
    sum(m.mean() for m in network.features(pictures)).backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().sum() > 0
    assert all(p.grad is None for p in network.parameters())


def test_pictures_too_small_for_the_last_map_are_refused(network: FaceNetwork) -> None:
    with pytest.raises(ValueError, match="102 × 150 px: 103 at least"):
        network.features(torch.zeros(1, 3, LEAST_SIDE - 1, SIDE))


@pytest.mark.parametrize("length", [0, 1000, 3_000_000, -4])
def test_a_file_cut_short_is_refused(
    tmp_path: Path, weights: tuple[list[Layer], np.ndarray], length: int
) -> None:
    path = tmp_path / "short.dat"
    write_dlib(path, *weights)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(SetupError, match=r"short\.dat"):
        FaceNetwork.open(path)


def test_weights_of_another_shape_are_refused(
    tmp_path: Path, weights: tuple[list[Layer], np.ndarray]
) -> None:
    layers, leave = weights
    path = tmp_path / "other.dat"
    write_dlib(path, layers[:-2], leave)
    with pytest.raises(SetupError, match="not the weights"):
        FaceNetwork.open(path)


def test_a_manifest_that_is_missing_or_of_another_file_is_named(
    tmp_path: Path, weights: tuple[list[Layer], np.ndarray]
) -> None:
    write_face_api(tmp_path, *weights)
    path = tmp_path / FACE_API
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(SetupError, match="damaged"):
        read_face_weights(path)
    (tmp_path / MANIFEST).unlink()
    with pytest.raises(SetupError, match=MANIFEST):
        read_face_weights(path)


def test_a_folder_gives_the_file_in_it_and_the_exact_one_first(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=DLIB):
        find_face_weights(tmp_path)
    (tmp_path / FACE_API).touch()
    assert find_face_weights(tmp_path).name == FACE_API
    (tmp_path / DLIB).touch()
    assert find_face_weights(tmp_path).name == DLIB


def test_without_the_extras_own_file_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing, or another release's."""
    monkeypatch.setattr(registry, "find_packages", lambda file: tmp_path)
    with pytest.raises(SetupError, match=r"0\.3\.0 is not installed: .*ttk\[identity\]"):
        FaceNetwork.open()
    path = registry.locate(NAME)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"of another release")
    with pytest.raises(SetupError, match=r"is not that of .*0\.3\.0: .*ttk\[identity\]"):
        FaceNetwork.open()


@pytest.mark.skipif(check_weights(NAME) is not Status.INTACT, reason="needs the extra identity")
def test_features_are_those_of_dlib() -> None:
    """Computed by dlib 20.0.1 with the same file, of a picture that needs no file."""
    y, x = np.mgrid[:SIDE, :SIDE]
    picture = np.stack([x + y, 2 * x * y // 150, (x - y) % 256], -1).clip(0, 255)
    network = FaceNetwork.open()
    faces = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    features = network(faces)[0]
    assert features[:6].tolist() == pytest.approx(DLIB_SAYS, abs=1e-5)
    assert float(features.norm()) == pytest.approx(DLIB_LENGTH, abs=1e-5)
    assert "face-recognition-models 0.3.0" in network.label
