"""Deng et al.'s network and crop: layout, published sizes, known geometry, errors that help."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from toolkit.errors import SetupError
from toolkit.facemodel import camera
from toolkit.facemodel.bfm import read_bfm
from toolkit.features import create_extractor, deng
from toolkit.schema import ARRAYS, ClipInput

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def network():
    """Random backbone; heads of zero weight whose biases count 0 to 256 hundredths."""
    torch.manual_seed(0)
    network = deng.ReconstructionNetwork()
    with torch.no_grad():
        bias = torch.arange(257) / 100
        for head, values in zip(network.final_layers, bias.split(deng.HEADS), strict=True):
            head.weight.zero_()
            head.bias.copy_(values)
    return network.eval()


@pytest.fixture(scope="module")
def checkpoint(network, tmp_path_factory):
    """A file as the published one is laid out: networks, optimisers and schedulers by name."""
    path = tmp_path_factory.mktemp("deng") / "epoch_20.pth"
    optimiser = torch.optim.Adam(network.final_layers.parameters())
    state = {"net_recon": network.state_dict(), "opt_00": optimiser.state_dict()}
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def bfm_path(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("bfm") / "BFM_model_front.mat"
    arrays = {"meanshape": rng.normal(size=(1, 270)), "meantex": np.zeros((1, 270))}
    arrays |= {"idBase": np.zeros((270, 80)), "texBase": np.zeros((270, 80))}
    arrays |= {"exBase": np.zeros((270, 64)), "tri": np.array([[1, 2, 3]])}
    savemat(path, {**arrays, "keypoints": np.arange(1, 69)[None]})
    return path


def frontal_mesh(num_frames, size, center):
    """Meshes whose five points are the standard ones, `size` px per unit, seen from the front."""
    mesh = np.zeros((num_frames, 478, 3), np.float32)
    for group, point in zip(deng.FIVE_POINTS, deng.STANDARD_POINTS, strict=True):
        mesh[:, list(group), :2] = size * point[:2] * (1, -1) + np.array(center)
    return mesh


def make_clip(num_frames=3, intrinsics=(500.0, 500.0, 160.0, 120.0), size=80.0, **changes):
    picture = np.random.default_rng(1).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    index = np.arange(num_frames)
    fields = {
        "clip_id": "clip",
        "path": Path("talk.mp4"),
        "fps": 30,
        "start_frame": 0,
        "num_frames": num_frames,
        "picture_size": (320, 240),
        "intrinsics": intrinsics,
        "crop": (0.0, 0.0, 240.0, 240.0),
        "valid": np.ones(num_frames, dtype=bool),
        "source_time": index / 30,
        "source_index": index,
        "source_num_frames": num_frames,
        "load_landmarks": lambda: frontal_mesh(num_frames, size, (150, 130)),
        "load_pcm": lambda: np.zeros(0, np.int16),
        "read_frames": lambda: iter([picture] * num_frames),
    }
    return ClipInput(**{**fields, **changes})


def test_backbone_has_the_published_number_of_parameters_and_tensors(network):
    # torchvision's resnet50: 25,557,032 with a last layer of 2048·1000 + 1000; 320 tensors with it
    backbone = network.backbone
    assert sum(p.numel() for p in backbone.parameters()) == 25_557_032 - 2_049_000
    assert len(backbone.state_dict()) == 318
    heads = sum(p.numel() for p in network.final_layers.parameters())
    assert heads == 257 * 2048 + 257


def test_tensors_have_the_names_of_the_published_checkpoint(network):
    names = set(network.state_dict())
    assert {
        "backbone.conv1.weight",
        "backbone.bn1.running_var",
        "backbone.layer1.0.downsample.0.weight",
        "backbone.layer2.0.downsample.1.running_mean",
        "backbone.layer3.5.conv2.weight",
        "backbone.layer4.2.bn3.num_batches_tracked",
        "final_layers.0.weight",
        "final_layers.6.bias",
    } <= names
    shapes = [tuple(head.weight.shape) for head in network.final_layers]
    assert shapes == [(size, 2048, 1, 1) for size in (80, 64, 80, 3, 27, 2, 1)]


def test_each_stage_halves_the_picture_where_the_reference_network_does(network):
    sizes = {}
    hooks = [
        module.register_forward_hook(lambda m, i, out, name=name: sizes.update({name: out.shape}))
        for name, module in network.backbone.named_children()
    ]
    with torch.inference_mode():
        out = network(torch.zeros(1, 3, 224, 224))
    for hook in hooks:
        hook.remove()
    assert [tuple(sizes[f"layer{i}"][1:]) for i in (1, 2, 3, 4)] == [
        (256, 56, 56),
        (512, 28, 28),
        (1024, 14, 14),
        (2048, 7, 7),
    ]
    assert network.backbone.layer2[0].conv2.stride == (2, 2)
    assert out[0].numpy() == pytest.approx(np.arange(257) / 100, abs=1e-5)


def test_a_frontal_face_is_brought_to_the_crops_middle_at_102_px_per_unit():
    scale, offset = deng.align_crops(frontal_mesh(2, 51.0, (300, 200)))
    assert scale == pytest.approx([2, 2], rel=1e-5)
    assert 2 * np.array([300, 200]) + offset[1] == pytest.approx([112, 111], abs=1e-3)


def test_a_turned_and_rolled_face_keeps_its_size_and_place():
    turned = deng.STANDARD_POINTS @ Rotation.from_euler("xyz", (0.2, 0.5, 0.4)).as_matrix().T
    mesh = np.zeros((1, 478, 3))
    for group, point in zip(deng.FIVE_POINTS, turned, strict=True):
        mesh[0, list(group), :2] = 90 * point[:2] * (1, -1) + (300, 200)
    scale, offset = deng.align_crops(mesh)
    assert scale[0] == pytest.approx(102 / 90, rel=1e-6)
    assert scale[0] * np.array([300, 200]) + offset[0] == pytest.approx([112, 111], abs=1e-6)


def test_the_crop_shows_the_similaritys_pixels_and_black_outside():
    x, y = np.meshgrid(np.arange(200), np.arange(150))
    picture = np.stack([x, y, np.full_like(x, 200)], axis=2).astype(np.uint8)
    crop = deng.cut_crop(picture, 1.6, (-20.0, 10.0)).astype(int)
    assert crop.shape == (224, 224, 3)
    # A pixel's middle is half a pixel from its edge, in the crop and in the picture.
    assert crop[120, 100, 0] == pytest.approx((100.5 + 20) / 1.6 - 0.5, abs=1)
    assert crop[120, 100, 1] == pytest.approx((120.5 - 10) / 1.6 - 0.5, abs=1)
    assert (crop[:7] == 0).all()
    assert (crop[14:, :, 2] == 200).all()


def test_a_crop_far_outside_the_picture_is_black():
    assert not deng.cut_crop(np.full((50, 60, 3), 255, np.uint8), 1.0, (-500.0, -500.0)).any()


def test_arrays_have_the_stored_shapes_and_one_row_per_frame(checkpoint, bfm_path):
    extractor = create_extractor("coefficients", "deng", deng_checkpoint=checkpoint, bfm=bfm_path)
    found = extractor.extract(make_clip(num_frames=deng.BATCH + 1))
    assert tuple(found) == extractor.arrays
    for name, values in found.items():
        spec = ARRAYS[name]
        rows = () if spec.axis == "C" else (deng.BATCH + 1,)
        assert values.shape == (*rows, *spec.shape)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    assert found["clips/identity_coefficients"][79] == pytest.approx(0.79)
    assert found["face/expression"][-1, 0] == pytest.approx(0.80)
    assert found["clips/texture_coefficients"][0] == pytest.approx(1.44)
    assert found["face/illumination"][3, [0, 26]] == pytest.approx([2.27, 2.53])
    assert len(extractor.provenance().weights_sha256) == 64


def test_model_pose_puts_the_head_where_the_networks_numbers_put_it(checkpoint, bfm_path):
    extractor = deng.DengCoefficients(deng_checkpoint=checkpoint, bfm=bfm_path)
    scale, offset = deng.align_crops(frontal_mesh(1, 80.0, (150, 130)))
    clip = make_clip(1, intrinsics=tuple(camera.deng_intrinsics(scale, offset)[0]))
    pose = extractor.extract(clip)["face/model_pose"][0]
    # By hand: angles 2.24, 2.25, 2.26; translation 2.54, 2.55, 2.56 dm.
    model = read_bfm(bfm_path)
    vertices = model.mean_shape[:68].astype(np.float64) / 100
    seen = vertices @ Rotation.from_euler("xyz", (2.24, 2.25, 2.26)).as_matrix().T
    seen += np.array((2.54, 2.55, 2.56))
    u = 1015 * seen[:, 0] / (10 - seen[:, 2]) + 112
    v = 223 - (1015 * seen[:, 1] / (10 - seen[:, 2]) + 112)
    expected = (np.stack([u, v], axis=1) - offset[0]) / scale[0]
    points = camera.flip_axes(model.mean_shape[:68] - model.head_origin)
    assert camera.project(points, pose, clip.intrinsics) == pytest.approx(expected, abs=0.01)


def test_identity_and_texture_are_the_median_over_the_clip(checkpoint, bfm_path):
    extractor = deng.DengCoefficients(deng_checkpoint=checkpoint, bfm=bfm_path)
    rows = torch.tensor([[1.0], [50.0], [3.0]]).expand(3, 257)
    extractor._network = lambda pictures: rows
    found = extractor.extract(make_clip(3))
    assert (found["clips/identity_coefficients"] == 3).all()
    assert (found["clips/texture_coefficients"] == 3).all()
    assert found["face/expression"][:, 0].tolist() == [1, 50, 3]


def test_the_network_sees_red_green_blue_from_0_to_1(checkpoint, bfm_path):
    extractor = deng.DengCoefficients(deng_checkpoint=checkpoint, bfm=bfm_path)
    seen = []
    extractor._network = lambda pictures: seen.append(pictures) or torch.zeros(1, 257)
    red = np.zeros((240, 320, 3), np.uint8) + np.array([255, 51, 0], np.uint8)
    extractor.extract(make_clip(1, read_frames=lambda: iter([red])))
    assert seen[0].shape == (1, 3, 224, 224)
    assert seen[0][0, :, 112, 112].tolist() == pytest.approx([1.0, 0.2, 0.0])


def test_each_missing_piece_says_where_it_is_to_be_had(checkpoint, bfm_path, tmp_path):
    with pytest.raises(SetupError, match=r"Deep3DFaceRecon_pytorch.*--deng-checkpoint"):
        deng.DengCoefficients(bfm=bfm_path)
    with pytest.raises(SetupError, match="--bfm PATH"):
        deng.DengCoefficients(deng_checkpoint=checkpoint)
    with pytest.raises(SetupError, match=r"no checkpoint at .*none\.pth.*Deep3DFaceRecon"):
        deng.DengCoefficients(deng_checkpoint=tmp_path / "none.pth", bfm=bfm_path)
    with pytest.raises(SetupError, match=r"no face model at .*faces\.dmi\.unibas\.ch"):
        deng.DengCoefficients(deng_checkpoint=checkpoint, bfm=tmp_path / "none.mat")


class _Payload:
    def __reduce__(self):
        return (Path.touch, (Path("unpickled"),))


def test_a_checkpoint_that_would_run_code_is_refused_and_runs_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"net_recon": _Payload()}, tmp_path / "bad.pth")
    with pytest.raises(SetupError, match=r"bad\.pth: refused, as it is not plain weights"):
        deng.load_network(tmp_path / "bad.pth")
    assert not Path("unpickled").exists()


@pytest.mark.parametrize("content", [{"net_recon": {"a": torch.zeros(1)}}, {}, torch.zeros(3)])
def test_a_checkpoint_of_another_network_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(SetupError, match=r"other\.pth is not Deng et al\.'s network"):
        deng.load_network(tmp_path / "other.pth")


def test_a_bare_state_dict_loads_too(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "bare.pth")
    loaded = deng.load_network(tmp_path / "bare.pth")
    assert not loaded.training
    assert torch.equal(loaded.final_layers[6].bias, network.final_layers[6].bias)
