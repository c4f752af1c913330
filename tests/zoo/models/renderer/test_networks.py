"""The rendering-to-video networks and their losses, against published sizes and hand numbers."""

import contextlib
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from tests.zoo.training.drawn_face import make_face_network
from toolkit.errors import SetupError
from toolkit.weights import Status
from zoo.models.renderer.losses import (
    LossWeights,
    adversarial_loss,
    alpha_loss,
    discriminator_loss,
    feature_matching_loss,
)
from zoo.models.renderer.networks import (
    Doubling,
    Generator,
    InstanceNorm,
    MultiscaleDiscriminator,
    SmallGenerator,
    create_discriminator,
    create_generator,
)
from zoo.training import perceptual
from zoo.training.face_network import LEAST_SIDE
from zoo.training.perceptual import (
    LAYER_WEIGHTS,
    FaceDistance,
    VggDistance,
    open_perceptual,
)


def count(network: nn.Module) -> int:
    """Parameters."""
    return sum(value.numel() for value in network.parameters())


def draw_window(size: int = 64, channels: int = 40) -> Tensor:
    """A window of noise (1, channels, size, size)."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, channels, size, size, generator=generator)


# --- sizes --------------------------------------------------------------------------------------


def test_the_official_networks_have_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        assert count(create_generator("official", 256)) == 88_446_755
        assert count(create_discriminator("official")) == 8_386_371


def test_the_papers_networks_differ_by_the_eye_map_and_the_alpha_alone() -> None:
    """Ten channels more in a 7 × 7 convolution to 64 and one to 32; in three 4 × 4 to 64.

    And by the alpha: one more output, with a bias, of the 7 × 7 convolution from 32.
    """
    with torch.device("meta"):
        more = 10 * 49 * (64 + 32)
        assert count(create_generator("paper", 256)) == 88_446_755 + more + 49 * 32 + 1
        assert count(create_generator("paper", 256, alpha=False)) == 88_446_755 + more
        assert count(create_discriminator("paper")) == 8_386_371 + 3 * 10 * 16 * 64


@pytest.mark.parametrize("size", [64, 96])
def test_generators_give_pictures_of_the_windows_size_between_black_and_white(size: int) -> None:
    for network in (Generator(40, width=4), SmallGenerator(40, size)):
        with torch.inference_mode():
            found = network(100 * draw_window(size))
        assert found.shape == (1, 3, size, size)
        assert found.abs().max() <= 1


@pytest.mark.parametrize("preset", ["small", "paper"])
def test_an_alphas_logits_are_not_limited_as_colours_are(preset: str) -> None:
    small = SmallGenerator(40, 64, outputs=4)
    network = small if preset == "small" else Generator(40, outputs=4, width=4)
    last = [layer for layer in network.leave if isinstance(layer, nn.Conv2d)][-1]
    with torch.no_grad():
        last.weight *= 100
    with torch.inference_mode():
        found = network(draw_window(64))
    assert found.shape == (1, 4, 64, 64)
    assert found[:, :3].abs().max() <= 1
    assert found[:, 3].abs().max() > 1


def test_weights_of_three_by_three_double_as_they_did() -> None:
    before = nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1)
    now = Doubling(3, 2)
    now.load_state_dict(before.state_dict())
    x = torch.randn(1, 3, 5, 5)
    torch.testing.assert_close(now(x), before(x))


def test_every_pixel_of_a_doubled_picture_is_made_of_as_many() -> None:
    """Weights of one: inside, each of the pixels is the sum of 2 × 2 of those that come in."""
    doubling = Doubling(1, 1)
    nn.init.ones_(doubling.weight)
    nn.init.zeros_(doubling.bias)  # type: ignore[arg-type]
    found = doubling(torch.ones(1, 1, 4, 4))
    assert found.shape == (1, 1, 8, 8)
    assert torch.equal(found[..., 1:-1, 1:-1], torch.full((1, 1, 6, 6), 4.0))


def test_frame_sizes_that_cannot_be_halved_often_enough_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        create_generator("small", 100)


@pytest.mark.parametrize("packed", [False, True])
def test_each_scale_judges_patches_of_a_picture_half_as_large(packed: bool) -> None:
    """Convolutions of 4 with a border of 2 make n/2 + 1 of n, and n + 1 where they do not halve."""
    network = MultiscaleDiscriminator(43, width=4, packed=packed)
    found = network(draw_window(128), draw_window(128, 3))
    sides = [scale[-1].shape[-1] for scale in found]
    #             64→33→17→9→10→11, 32→17→9→5→6→7, 16→9→5→3→4→5; 128: 65→33→17→18→19
    assert sides == ([11, 7, 5] if packed else [19, 11, 7])
    assert [len(scale) for scale in found] == [5, 5, 5]
    assert [layer.shape[1] for layer in found[0]] == [4, 8, 16, 32, 1]


def test_instance_norm_is_torchs() -> None:
    """Of two pictures, each by itself."""
    x = draw_window(8).view(2, 20, 8, 8)
    expected = nn.InstanceNorm2d(20)(x)
    torch.testing.assert_close(InstanceNorm(20)(x), expected, atol=1e-5, rtol=1e-5)
    scaled = InstanceNorm(20, learnt=True)
    nn.init.constant_(scaled.weight, 2.0)
    nn.init.constant_(scaled.bias, 1.0)
    torch.testing.assert_close(scaled(x), 2 * expected + 1, atol=1e-5, rtol=1e-5)


# --- gradients ----------------------------------------------------------------------------------


def list_untouched(network: nn.Module) -> set[str]:
    """Parameters that the last backward pass did not reach."""
    return {n for n, v in network.named_parameters() if v.grad is None or not v.grad.any()}


def test_gradients_reach_every_parameter_of_the_generators() -> None:
    for network in (Generator(40, width=4, depth=2, blocks=2), SmallGenerator(40, 64)):
        network(draw_window()).square().sum().backward()
        assert list_untouched(network) == set()


def test_gradients_reach_every_parameter_of_the_discriminators() -> None:
    network = create_discriminator("small")
    found = network(draw_window(), draw_window(64, 3))
    adversarial_loss(found).backward()
    assert list_untouched(network) == set()


def test_the_small_generator_can_learn_one_frame_by_heart() -> None:
    """A picture with edges, at 64 px: most of the error is gone after some steps."""
    torch.manual_seed(0)
    network, window = SmallGenerator(40, 64), draw_window()
    target = draw_window(8, 3).sign().repeat_interleave(8, 2).repeat_interleave(8, 3) / 2
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(150):
        loss = (network(window) - target).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.05  # black, the best constant, is 0.5 away


# --- losses -------------------------------------------------------------------------------------


def make_features(*scales: tuple[list[float], list[float]]) -> list[list[Tensor]]:
    """Of each scale one layer's features and the logits."""
    return [[torch.tensor(layer), torch.tensor(logits)] for layer, logits in scales]


REAL = make_features(([1.0, 2.0], [1.0, 0.0]), ([0.0, 0.0], [3.0]))
GENERATED = make_features(([2.0, 4.0], [0.0, 2.0]), ([1.0, 0.0], [1.0]))


def test_the_discriminators_loss_is_what_the_hand_makes_it() -> None:
    """Real: (0 + 1)/2 and (3 − 1)²; generated: (0 + 4)/2 and 1; half of all."""
    assert discriminator_loss(REAL, GENERATED).item() == pytest.approx((0.5 + 4 + 2 + 1) / 2)


def test_a_discriminator_that_answers_one_half_to_everything_stands_at_three_quarters() -> None:
    """Of three scales, whatever their features: (¼ + ¼) / 2 each, and ¼ each for the generator."""
    half = [[torch.rand(1, 2, 4, 4), torch.full((1, 1, size, size), 0.5)] for size in (8, 4, 2)]
    assert discriminator_loss(half, half).item() == pytest.approx(0.75)
    assert adversarial_loss(half).item() == pytest.approx(0.75)


def test_the_generators_adversarial_loss_is_what_the_hand_makes_it() -> None:
    """(0 − 1)² and (2 − 1)², whose mean is 1; and (1 − 1)²."""
    assert adversarial_loss(GENERATED).item() == pytest.approx(1 + 0)


def test_feature_matching_is_what_the_hand_makes_it_and_leaves_logits_alone() -> None:
    """(1 + 2)/2 and (1 + 0)/2."""
    assert feature_matching_loss(GENERATED, REAL).item() == pytest.approx(1.5 + 0.5)
    whole = feature_matching_loss(GENERATED, REAL, mean=True).item()
    assert whole == pytest.approx((1.5 + 0.5) / len(REAL))


def test_eq_10_weighs_its_terms_by_1_2_10_and_50() -> None:
    names = ("adversarial", "feature_matching", "perceptual", "l1")
    terms = {name: torch.tensor(10.0**-k) for k, name in enumerate(names)}
    expected = 1 + 2 / 10 + 10 / 100 + 50 / 1000
    assert LossWeights().sum(terms).item() == pytest.approx(expected)
    terms["alpha"] = torch.tensor(0.03)
    assert LossWeights().sum(terms).item() == pytest.approx(expected + 10 * 0.03)


def test_an_alphas_loss_is_the_cross_entropy_over_the_pixels_that_are_picture() -> None:
    """Of alpha ½ it is ln 2 whatever the matte; of ¾ against 1 −ln ¾, against 0 −ln ¼."""
    logits = torch.tensor([[[[0.0, math.log(3)], [math.log(3), 40.0]]]])
    matte = torch.tensor([[[[0.3, 1.0], [0.0, 0.0]]]])
    inside = torch.tensor([[[[True, True], [True, False]]]])
    expected = (math.log(2) - math.log(0.75) - math.log(0.25)) / 3
    assert alpha_loss(logits, matte, inside).item() == pytest.approx(expected, abs=1e-6)
    assert alpha_loss(logits, matte, None).item() == pytest.approx((3 * expected + 40) / 4)
    assert alpha_loss(logits, matte, torch.zeros_like(inside)).item() == 0


# --- perceptual distance ------------------------------------------------------------------------


GROUPS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 1))
"""VGG19 as its paper prints it: width and number of the convolutions between two maxima."""


def draw_vgg() -> dict[str, Tensor]:
    """Random weights under torchvision's names, with some of the layers that are not used."""
    generator = torch.Generator().manual_seed(3)
    weights, index, inputs = {"classifier.0.weight": torch.zeros(2, 2)}, 0, 3
    for width, number in GROUPS:
        for _ in range(number):
            scale = (2 / (9 * inputs)) ** 0.5
            values = torch.randn(width, inputs, 3, 3, generator=generator) * scale
            weights |= {f"features.{index}.weight": values}
            weights |= {f"features.{index}.bias": torch.full((width,), 0.01)}
            inputs, index = width, index + 2
        index += 1
    return weights


def see_through(weights: dict[str, Tensor], pictures: Tensor) -> list[Tensor]:
    """First outputs of each group, written out anew."""
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (pictures / 2 + 0.5 - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
    found, index = [], 0
    for _, number in GROUPS:
        for place in range(number):
            name = f"features.{index}"
            x = functional.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1)
            x = x.clamp(min=0)
            found += [x] if place == 0 else []
            index += 2
        x, index = functional.max_pool2d(x, 2), index + 1
    return found


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of such weights."""
    path = tmp_path_factory.mktemp("vgg") / "vgg19.safetensors"
    save_file(draw_vgg(), path)
    return path


def test_the_distance_is_that_of_vgg19s_five_layers(vgg: Path) -> None:
    pred, target = draw_window(32, 3), draw_window(32, 3).flip(3)
    measured = VggDistance(vgg)(pred, target)
    pairs = zip(see_through(draw_vgg(), pred), see_through(draw_vgg(), target), strict=True)
    terms = [w * (a - b).abs().mean() for w, (a, b) in zip(LAYER_WEIGHTS, pairs, strict=True)]
    assert measured.item() == pytest.approx(sum(term.item() for term in terms), rel=1e-4)


@pytest.mark.parametrize("zipped", [True, False])
def test_torchs_files_and_safetensors_are_one_network(
    vgg: Path, tmp_path: Path, zipped: bool
) -> None:
    """Files of before torch 1.6, as torchvision's VGG19, are no archives."""
    torch.save(draw_vgg(), tmp_path / "vgg19.pth", _use_new_zipfile_serialization=zipped)
    networks = [VggDistance(path) for path in (vgg, tmp_path / "vgg19.pth")]
    assert networks[0].sha256 == networks[1].sha256
    assert [network.name for network in networks] == ["vgg19", "vgg19"]


def test_without_weights_a_random_network_that_is_always_the_same_says_so(vgg: Path) -> None:
    first, second = VggDistance(), VggDistance()
    assert first.name == "random"
    assert first.sha256 == second.sha256 != VggDistance(vgg).sha256


def test_pictures_alike_have_no_distance_and_gradients_reach_what_was_made_alone() -> None:
    network = VggDistance(half=True)
    pred, target = draw_window(64, 3).requires_grad_(), draw_window(64, 3).flip(3).requires_grad_()
    assert network(pred, pred).item() == 0
    network(pred, target).backward()
    assert pred.grad is not None and pred.grad.any()
    assert target.grad is None
    assert all(value.grad is None for value in network.parameters())


@pytest.mark.parametrize(
    ("installed", "fetched", "given", "name"),
    [
        (True, True, True, "vgg19"),
        (True, True, False, "face"),
        (False, True, False, "vgg19"),
        (False, False, False, "random"),
    ],
)
def test_the_judge_is_what_was_given_else_the_face_recogniser_else_vgg19_else_a_random_network(
    vgg: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    installed: bool,
    fetched: bool,
    given: bool,
    name: str,
) -> None:
    network = make_face_network()
    known = Status.INTACT if installed else Status.MISSING
    monkeypatch.setattr(perceptual, "check_weights", lambda name: known)
    monkeypatch.setattr(perceptual.FaceNetwork, "open", lambda: network)
    place = vgg if fetched else tmp_path / "none.safetensors"
    monkeypatch.setattr(perceptual, "locate", lambda name: place)
    expected = (
        pytest.warns(UserWarning, match="a random network judges pictures: pip install")
        if name == "random"
        else contextlib.nullcontext()
    )
    with expected:
        judge = open_perceptual("auto", vgg if given else None)
    assert judge.name == name


def test_a_face_judge_compares_each_depth_by_its_own_size() -> None:
    """Mean absolute difference of the maps over the real one's mean, a fifth of each depth."""
    network = make_face_network()
    pred, target = draw_window(160, 3), draw_window(160, 3).flip(3)
    pairs = zip(network.features(pred), network.features(target), strict=True)
    terms = [float((a - b).abs().mean() / b.abs().mean()) for a, b in pairs]
    assert len(terms) == 5
    assert min(terms) > 0
    assert FaceDistance(network)(pred, target).item() == pytest.approx(sum(terms) / 5, rel=1e-4)


@pytest.mark.parametrize(("side", "seen"), [(256, 128), (192, 192), (64, LEAST_SIDE)])
def test_a_face_judge_halves_what_is_large_enough_and_enlarges_what_is_too_small(
    side: int, seen: int
) -> None:
    network = make_face_network()
    looked: list[int] = []
    network.stem.register_forward_pre_hook(lambda _, inputs: looked.append(inputs[0].shape[2]))
    picture = draw_window(side, 3).requires_grad_()
    FaceDistance(network, half=True)(picture, picture.detach().flip(3)).backward()
    assert set(looked) == {seen}
    assert picture.grad is not None and picture.grad.any()
    assert all(value.grad is None for value in network.parameters())


def test_files_that_are_not_vgg19_are_one_clear_error(tmp_path: Path) -> None:
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(SetupError, match="not VGG19"):
        VggDistance(tmp_path / "other.safetensors")
    with pytest.raises(SetupError, match="no such"):
        VggDistance(tmp_path / "none.pth")
