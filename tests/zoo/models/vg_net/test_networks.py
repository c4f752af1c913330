"""VG-net and its discriminator: their sizes, what reaches what, frames one after the other."""

import pytest
import torch
from torch import Tensor, nn

from tests.zoo.models.vg_net.talkers import TINY
from zoo.models.vg_net.discriminator import RegressionDiscriminator, create_discriminator
from zoo.models.vg_net.networks import ConvGRU, VGNet, compose, create_vg_net, fold_norms


def count(network: nn.Module) -> int:
    return sum(value.numel() for value in network.parameters())


@pytest.fixture(name="network")
def _network() -> VGNet:
    """In use, its norms as and weights as after some training."""
    torch.manual_seed(0)
    network = VGNet(TINY)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0, 0.2)
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias)
    return network.eval()


def make_inputs(num_frames: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    return (
        torch.rand(2, 3, 128, 128) * 2 - 1,
        torch.randn(2, 136),
        torch.randn(2, num_frames, 136),
    )


def test_paper_has_as_many_parameters_as_the_released_code() -> None:
    assert count(create_vg_net("paper")) == 58_355_781
    assert count(create_discriminator("paper")) == 21_491_473


def test_small_is_small_and_convolves_nothing_at_full_resolution() -> None:
    network, sides = create_vg_net("small"), set()
    assert count(network) <= 8_000_000
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(lambda layer, x, y: sides.add(y.shape[-1]))
    with torch.inference_mode():
        network(*make_inputs(1))
    assert sides == {8, 16, 32, 64}


@pytest.mark.parametrize("preset", ["small", "paper"])
def test_frames_are_as_large_as_the_picture(preset: str) -> None:
    network = create_vg_net(preset).eval()
    picture, identity, landmarks = make_inputs(1)
    with torch.inference_mode():
        found = network(picture[:1], identity[:1], landmarks[:1])
    assert found.shape == (1, 1, 4, 128, 128)
    assert found[:, :, :3].abs().max() <= 1
    assert 0 <= found[:, :, 3].min() <= found[:, :, 3].max() <= 1


def test_a_frame_is_motion_where_alpha_is_1_and_the_picture_where_it_is_0() -> None:
    found = torch.zeros(1, 1, 4, 1, 3)
    found[0, 0, :3] = 0.8
    found[0, 0, 3, 0] = torch.tensor([0.0, 0.25, 1.0])
    picture = torch.full((1, 3, 1, 3), -0.4)
    assert compose(found, picture)[0, 0, 0, 0].tolist() == pytest.approx([-0.4, -0.1, 0.8])


@torch.inference_mode()
def test_frames_drawn_in_pieces_are_those_drawn_at_once(network: VGNet) -> None:
    picture, identity, landmarks = make_inputs(5)
    whole = network(picture, identity, landmarks)
    encoded = network.encode(picture, identity)
    state = network.begin(encoded)
    first, state = network.advance(encoded, landmarks[:, :2], state)
    rest, _ = network.advance(encoded, landmarks[:, 2:], state)
    assert torch.allclose(torch.cat([first, rest], dim=1), whole, atol=1e-5)


@torch.inference_mode()
def test_a_lap_is_the_same_landmarks_once_more_before(network: VGNet) -> None:
    picture, identity, landmarks = make_inputs(3)
    twice = network(picture, identity, torch.cat([landmarks, landmarks], dim=1))
    assert torch.allclose(network(picture, identity, landmarks, 1), twice[:, 3:], atol=1e-5)
    assert not torch.allclose(network(picture, identity, landmarks), twice[:, 3:], atol=1e-3)


def test_no_gradient_goes_into_a_lap(network: VGNet) -> None:
    """The state that it leaves is where the window begins."""
    picture, identity, landmarks = make_inputs(2)
    encoded = network.encode(picture, identity)
    state = network.begin(encoded).requires_grad_()
    found, _ = network.advance(encoded, landmarks, state, 1)
    assert torch.autograd.grad(found.sum(), state, allow_unused=True) == (None,)


@torch.inference_mode()
def test_landmarks_change_their_own_frame_and_later_ones_alone(network: VGNet) -> None:
    picture, identity, landmarks = make_inputs(4)
    changed = landmarks.clone()
    changed[:, 2] += 1
    change = (network(picture, identity, changed) - network(picture, identity, landmarks)).abs()
    by_frame = change.amax(dim=(0, 2, 3, 4))
    assert (by_frame[:2] < 1e-5).all()
    assert (by_frame[2:] > 1e-3).all()


@torch.inference_mode()
def test_pictures_of_a_batch_do_not_mix(network: VGNet) -> None:
    picture, identity, landmarks = make_inputs(3)
    alone = network(picture[1:], identity[1:], landmarks[1:])
    assert torch.allclose(network(picture, identity, landmarks)[1:], alone, atol=1e-5)


@torch.inference_mode()
def test_folded_norms_change_nothing(network: VGNet) -> None:
    inputs = make_inputs(3)
    before = network(*inputs)
    fold_norms(network)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
    assert torch.allclose(network(*inputs), before, atol=1e-4)


@torch.inference_mode()
def test_without_attention_every_pixel_is_drawn() -> None:
    network = VGNet(TINY, attention=False).eval()
    picture, identity, landmarks = make_inputs(2)
    found = network(picture, identity, landmarks)
    assert (found[:, :, 3] == 1).all()
    assert torch.equal(compose(found, picture), found[:, :, :3])


@torch.inference_mode()
def test_a_closed_gate_keeps_the_state_and_an_open_one_takes_the_candidate() -> None:
    cell = ConvGRU(1, 1)
    for value in cell.parameters():
        value.zero_()
    cell.candidate.bias.fill_(0.5)
    state = torch.full((1, 1, 2, 2), 0.25)
    for bias, kept in ((-50.0, 0.25), (50.0, 0.46211716), (0.0, 0.35605858)):  # tanh 0.5 = 0.4621
        cell.gates.bias[:1] = bias
        assert torch.allclose(cell(state, state), torch.full_like(state, kept), atol=1e-6)


# --- discriminator ------------------------------------------------------------------------------


def test_landmarks_are_read_as_steps_from_the_pictures() -> None:
    torch.manual_seed(0)
    judge = RegressionDiscriminator(TINY.discriminator)
    nn.init.zeros_(judge.landmarks.weight)
    nn.init.constant_(judge.landmarks.bias, 0.5)
    identity = torch.randn(2, 136)
    read, logits = judge(torch.randn(2, 3, 3, 128, 128), identity)
    assert torch.allclose(read, (identity + 0.46211716)[:, None].expand(-1, 3, -1), atol=1e-6)
    assert logits.shape == (2,)


@pytest.mark.parametrize("num_frames", [1, 16, 21])
def test_the_score_is_a_mean_over_frames_of_any_number(num_frames: int) -> None:
    torch.manual_seed(0)
    judge = RegressionDiscriminator(TINY.discriminator).eval()
    seen = list[Tensor]()
    judge.score.register_forward_hook(lambda layer, x, y: seen.append(y))
    _, logits = judge(torch.randn(1, num_frames, 3, 128, 128), torch.randn(1, 136))
    assert seen[0].shape == (1, num_frames, 1)
    assert logits.item() == pytest.approx(seen[0].double().mean().item(), abs=1e-6)
