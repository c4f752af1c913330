"""FACIAL-GAN's networks against Tables 1 and 2, and against the same written frame by frame.

Legend: B batch, T frames, 29 symbols, 71 numbers of motion.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from zoo.models.facial.losses import LossWeights, discriminator_loss, regression_loss
from zoo.models.facial.model import FacialGan, create_facial_gan
from zoo.models.facial.networks import Discriminator, Generator, LocalNetwork, TemporalNetwork
from zoo.models.facial.official import OfficialGenerator, OfficialTemporalNetwork, UNet
from zoo.training.adversaries import frozen

Numbers = dict[str, torch.Tensor]

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class Recorder(TorchFunctionMode):
    """Notes each function that runs and the shape that it gives, without the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[str, tuple[int, ...]]] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run and note."""
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.rows.append((func.__name__, tuple(result.shape[1:])))
        return result


def record(network: nn.Module, *inputs: torch.Tensor, names: str) -> list[tuple[int, ...]]:
    """Shapes that the named functions give, in order."""
    with Recorder() as recorder, torch.no_grad():
        network(*inputs)
    return [shape for name, shape in recorder.rows if name in names.split()]


def draw(num_frames: int, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Audio and state."""
    generator = torch.Generator().manual_seed(num_frames)
    audio = torch.randn(batch, num_frames + 15, 29, generator=generator)
    return audio, torch.randn(batch, 71, generator=generator)


def settle(network: nn.Module) -> nn.Module:
    """In evaluation, with normalisation layers that do something."""
    generator = torch.Generator().manual_seed(5)
    for module in network.modules():
        if isinstance(module, NORMS):
            for values in (module.running_mean, module.weight.data, module.bias.data):
                values.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return network.eval()


def count(network: nn.Module, *, norms: bool = True) -> int:
    """Parameters, on demand less those of normalisation."""
    parts = [m for m in network.modules() if norms or not isinstance(m, NORMS)]
    return sum(value.numel() for part in parts for value in part.parameters(recurse=False))


# --- the printed tables -------------------------------------------------------------------------


def test_every_row_of_table_1_has_its_shape() -> None:
    """From 1 × 128 × 29 to 32 × 128."""
    shapes = record(
        TemporalNetwork(),
        torch.zeros(2, 128, 29),
        torch.zeros(2, 71),
        names="conv2d flatten interpolate cat conv1d",
    )
    assert shapes == [
        (32, 64, 13),
        (128, 32, 5),
        (256, 32, 2),
        (256, 32, 2),
        (256, 64),
        (256, 128),
        (327, 128),
        (256, 128),
        (256, 128),
        (32, 128),
    ]


def test_every_row_of_table_2_has_its_shape() -> None:
    """Of one frame: from 29 × 16 × 1 to 64 × 1 × 1 and 32."""
    network = LocalNetwork().eval()
    audio = torch.zeros(2, 16, 29)
    assert record(network, audio, names="contiguous conv2d linear") == [
        (29, 16, 1),
        (32, 8, 1),
        (32, 4, 1),
        (64, 2, 1),
        (64, 1, 1),
        (1, 32),  # the frame, then the FC's 32
    ]


def test_kernels_are_those_of_the_tables() -> None:
    """Shapes alone would also come from others."""
    generator = Generator()
    kernels = [
        (module.kernel_size, module.stride)
        for module in generator.modules()
        if isinstance(module, (nn.Conv1d, nn.Conv2d))
    ]
    assert kernels[:2] == [((4, 4), (2, 2))] * 2
    assert kernels[2:4] == [((4, 4), (1, 1)), ((3, 1), (1, 1))]
    assert kernels[4:7] == [((3,), (1,))] * 3
    assert kernels[7:] == [((3, 1), (2, 1))] * 4


def test_parameter_counts_are_those_of_the_tables() -> None:
    """Kernels and biases of Tables 1 and 2, added up by hand; normalisation apart."""
    generator = Generator()
    assert count(generator.temporal, norms=False) == 1_260_480
    assert count(generator.local, norms=False) == 26_560
    assert count(generator.head) == 64 * 71 + 71 == 4_615


def test_the_official_networks_have_as_many_parameters_as_the_released_ones() -> None:
    """Counted on the released code."""
    model = create_facial_gan("official")
    assert count(model.generator) == 9_688_967
    assert count(model.discriminator) == 1_555_329
    assert count(UNet()) == 8_394_496


def test_the_official_code_pads_time_by_two_so_that_68_positions_are_stretched() -> None:
    """65, 33, 34, 34 rows of time, not those of Table 1."""
    shapes = record(
        OfficialTemporalNetwork(),
        torch.zeros(2, 128, 29),
        torch.zeros(2, 71),
        names="conv2d flatten interpolate",
    )
    assert shapes[:4] == [(32, 65, 13), (128, 33, 5), (256, 34, 2), (256, 34, 2)]
    assert shapes[4:] == [(256, 68), (256, 128)]


# --- the same, written frame by frame -----------------------------------------------------------


def norm(x: torch.Tensor, numbers: Numbers, name: str) -> torch.Tensor:
    """Batch normalisation in evaluation."""
    shape = (1, -1) + (1,) * (x.ndim - 2)
    mean, variance, weight, bias = (
        numbers[f"{name}.{key}"].reshape(shape)
        for key in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / torch.sqrt(variance + 1e-5) * weight + bias


def convolve(x: torch.Tensor, numbers: Numbers, name: str, **options: Any) -> torch.Tensor:
    """A convolution of as many dimensions as its kernel."""
    weight, bias = numbers[f"{name}.weight"], numbers.get(f"{name}.bias")
    function = functional.conv1d if weight.ndim == 3 else functional.conv2d
    return function(x, weight, bias, **options)


def run_temporal(numbers: Numbers, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    """Features z (B, T, 32) after Table 1: convolution, leaky ReLU, normalisation."""
    x = audio[:, None]
    layers = ((0, 2, (1, 1)), (3, 2, (1, 1)), (7, 1, (1, 2)), (10, 1, (1, 1)))
    for index, stride, (before, after) in layers:
        x = functional.pad(x, (0, 0, before, after))
        x = convolve(x, numbers, f"temporal.encoder.{index}", stride=stride)
        x = norm(functional.leaky_relu(x, 0.01), numbers, f"temporal.encoder.{index + 2}")
    columns = [x[:, :, k, j] for k in range(x.shape[2]) for j in range(2)]
    columns = [columns[0], *columns, columns[-1]]
    frames = []
    for t in range(audio.shape[1]):  # frame t lies at (t + 0.5) / 2 - 0.5 among the columns
        place = (t + 0.5) / 2 - 0.5 + 1
        left, share = int(place), place - int(place)
        column = columns[left] * (1 - share) + columns[left + 1] * share
        frames.append(torch.cat([column, state], dim=1))
    x = torch.stack(frames, dim=2)
    for index in (0, 3, 6):
        x = convolve(x, numbers, f"temporal.decoder.{index}", padding=1)
        x = norm(functional.leaky_relu(x, 0.01), numbers, f"temporal.decoder.{index + 2}")
    return x.transpose(1, 2)


def run_local(numbers: Numbers, window: torch.Tensor) -> torch.Tensor:
    """Features c (B, 32) of one frame after Table 2, from its (B, 16, 29) window."""
    x = window.transpose(1, 2)[..., None]
    for index in (0, 3, 6, 9):
        x = convolve(x, numbers, f"local.convolutions.{index}", stride=(2, 1), padding=(1, 0))
        x = norm(functional.relu(x), numbers, f"local.convolutions.{index + 2}")
    return torch.tanh(
        functional.linear(x.flatten(1), numbers["local.dense.weight"], numbers["local.dense.bias"])
    )


@pytest.mark.parametrize("num_frames", [16, 128])
def test_the_generator_equals_the_paper_written_frame_by_frame(num_frames: int) -> None:
    """Paddings, order of the layers, time first, stretching, z before c, window t − 8 … t + 7."""
    torch.manual_seed(0)
    generator = settle(Generator())
    numbers = generator.state_dict()
    audio, state = draw(num_frames)
    with torch.no_grad():
        found = generator(audio, state)
        z = run_temporal(numbers, audio[:, 8 : 8 + num_frames], state)
        c = torch.stack([run_local(numbers, audio[:, t : t + 16]) for t in range(num_frames)], 1)
        both = torch.cat([z, c], dim=2)
        wanted = functional.linear(both, numbers["head.weight"], numbers["head.bias"])
    assert found.shape == (2, num_frames, 71)
    assert found.std() > 0.05
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_all_local_windows_at_once_equal_each_alone_in_evaluation() -> None:
    """And do not in training, where the statistics are of other samples."""
    network = settle(LocalNetwork())
    audio, _ = draw(32)
    each = [audio[:, t : t + 16] for t in range(32)]
    with torch.no_grad():
        alone = torch.cat([network(window) for window in each], dim=1)
        torch.testing.assert_close(network(audio), alone, rtol=1e-4, atol=1e-5)
        network.train()
        apart = (network(audio) - torch.cat([network(window) for window in each], dim=1)).abs()
    assert apart.max() > 0.01


@pytest.mark.parametrize("frame", [0, 20, 31])
def test_a_local_feature_hears_8_frames_before_and_7_after(frame: int) -> None:
    """Of frame t: rows t … t + 15 of the padded audio, each of them."""
    network = settle(LocalNetwork())
    audio, _ = draw(32)
    audio.requires_grad_()
    network(audio)[:, frame].sum().backward()
    assert audio.grad is not None
    heard = audio.grad.abs().sum(dim=(0, 2)).nonzero().flatten().tolist()
    assert heard == list(range(frame, frame + 16))


def test_the_local_network_runs_as_many_functions_for_any_length() -> None:
    """It does not loop over frames."""
    lengths = []
    for num_frames in (8, 128):
        with Recorder() as recorder:
            LocalNetwork()(draw(num_frames)[0])
        lengths.append(len(recorder.rows))
    assert lengths[0] == lengths[1] > 0


# --- lengths, ablations, gradients --------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "num_frames"),
    [("paper", 4), ("paper", 64), ("small", 256), ("official", 32), ("official", 160)],
)
def test_windows_of_other_lengths_work(preset: str, num_frames: int) -> None:
    """Any multiple of the strides."""
    model = settle(create_facial_gan(preset))
    with torch.no_grad():
        motion = model(*draw(num_frames))
    assert motion.shape == (2, num_frames, 71)
    assert torch.isfinite(motion).all()


@pytest.mark.parametrize(
    ("network", "audio", "state"),
    [
        (Generator, (2, 15 + 6, 29), (2, 71)),
        (OfficialGenerator, (2, 15 + 48, 29), (2, 71)),
        (Generator, (2, 15, 29), (2, 71)),
        (Generator, (2, 15 + 8, 28), (2, 71)),
        (Generator, (23, 29), (2, 71)),
        (Generator, (2, 15 + 8, 29), (2, 70)),
        (Generator, (2, 15 + 8, 29), (1, 71)),
    ],
)
def test_other_shapes_are_an_error(network: Any, audio: Any, state: Any) -> None:
    """Rather than motion that is stretched in silence."""
    with pytest.raises(ValueError, match="must be"):
        network()(torch.zeros(audio), torch.zeros(state))


def test_without_the_local_network_the_fc_sees_z_alone() -> None:
    """Only G_tem is left, and what lies outside the window is not heard."""
    generator = settle(Generator(local=False))
    assert generator.head.in_features == 32
    assert {name.split(".")[0] for name in generator.state_dict()} == {"temporal", "head"}
    audio, state = draw(16)
    other = audio.clone()
    other[:, :8] += 1
    with torch.no_grad():
        torch.testing.assert_close(generator(audio, state), generator(other, state))


def test_without_the_temporal_network_the_fc_sees_c_alone() -> None:
    """Neither the state nor frames beyond the local window matter."""
    generator = settle(Generator(temporal=False))
    assert generator.head.in_features == 32
    assert {name.split(".")[0] for name in generator.state_dict()} == {"local", "head"}
    audio, state = draw(64)
    other = audio.clone()
    other[:, 16:] += 1
    with torch.no_grad():
        motion = generator(audio, state), generator(other, state + 1)
    torch.testing.assert_close(motion[0][:, 0], motion[1][:, 0])
    assert (motion[0][:, 1] - motion[1][:, 1]).abs().max() > 1e-3


def test_a_generator_of_nothing_is_an_error() -> None:
    """One part at least; and the released network has no ablations."""
    with pytest.raises(ValueError, match="temporal or its local"):
        Generator(temporal=False, local=False)
    with pytest.raises(ValueError, match="no ablations"):
        create_facial_gan("official", without="local")
    with pytest.raises(ValueError, match="paper, small, official"):
        create_facial_gan("large")


def test_the_initial_state_reaches_the_last_frame() -> None:
    """It is tiled, and not shown to the first frame alone."""
    generator = settle(Generator())
    audio, state = draw(128)
    state.requires_grad_()
    generator(audio, state)[:, -1].sum().backward()
    assert state.grad is not None
    assert (state.grad != 0).all()


MODELS = {
    "paper": "",
    "small": "",
    "official": "",
    "paper without local": "local",
    "paper without temporal": "temporal",
}


def make_model(name: str) -> FacialGan:
    """A preset or an ablation of one."""
    torch.manual_seed(1)
    return create_facial_gan(name.split(maxsplit=1)[0], without=MODELS[name])


@pytest.mark.parametrize("name", MODELS)
def test_gradients_reach_every_parameter_of_the_generator(name: str) -> None:
    """Biases before a normalisation excepted, which takes them away."""
    model = make_model(name)
    audio, state = draw(32, batch=4)
    motion = model(audio, state)
    model.objective.adversarial(model.discriminator(motion), 32).backward(retain_graph=True)
    sum(model.objective.regression(motion, torch.randn(4, 32, 71)).values()).backward()
    unseen = set()
    if name == "official":
        unseen = {f"temporal.encoder.{index}.bias" for index in (0, 3, 6, 9)}
        unseen |= {f"temporal.decoder.{index}.bias" for index in (0, 3)}
    for key, value in model.generator.named_parameters():
        assert value.grad is not None, key
        assert key in unseen or value.grad.abs().sum() > 0, key


@pytest.mark.parametrize("width", [16, 64])
def test_gradients_reach_every_parameter_of_the_discriminator(width: int) -> None:
    """From real and from generated motion."""
    discriminator = Discriminator(width)
    real, generated = torch.randn(2, 2, 32, 71)
    discriminator_loss(discriminator(real), discriminator(generated)).backward()
    grads = {key: value.grad for key, value in discriminator.named_parameters()}
    assert [key for key, grad in grads.items() if grad is None or not grad.abs().sum() > 0] == []


# --- the discriminator --------------------------------------------------------------------------


def test_the_discriminator_sees_128_rows_of_values_and_127_of_differences() -> None:
    """One picture of 255 × 71."""
    discriminator, seen = Discriminator(), []
    discriminator.layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    motion = torch.randn(2, 128, 71)
    logits = discriminator(motion)
    assert seen[0].shape == (2, 1, 255, 71)
    assert torch.equal(seen[0][:, 0, :128], motion)
    assert torch.equal(seen[0][:, 0, 128 + 5], motion[:, 6] - motion[:, 5])
    assert logits.shape == (2, 1, 32, 9)


def test_the_small_discriminator_is_narrower_by_four() -> None:
    """Counted by hand; the generator is the paper's."""
    small, paper = create_facial_gan("small"), create_facial_gan()
    assert count(small.discriminator) == 160 + 4672 + 18_560 + 73_984 + 1153
    assert count(small.generator) == count(paper.generator)


def test_a_frozen_discriminator_passes_gradients_on_and_keeps_none() -> None:
    """And is as before afterwards, also where something went wrong."""
    discriminator = Discriminator(4)
    discriminator.layers[0].bias.requires_grad_(False)
    motion = torch.randn(2, 32, 71, requires_grad=True)
    with pytest.raises(ZeroDivisionError), frozen(discriminator):
        discriminator(motion).sum().backward()
        raise ZeroDivisionError
    assert motion.grad is not None
    assert motion.grad.abs().sum() > 0
    assert all(value.grad is None for value in discriminator.parameters())
    trained = [value.requires_grad for value in discriminator.parameters()]
    assert trained.count(False) == 1


# --- it learns ----------------------------------------------------------------------------------


def test_one_clip_can_be_overfitted_to_near_zero() -> None:
    """Two windows of random audio and smooth motion."""
    torch.manual_seed(3)
    generator = Generator()
    audio, _ = draw(16)
    phase = torch.linspace(0, 3, 16)[None, :, None] + 3 * torch.rand(2, 1, 71)
    wanted = torch.sin(phase)
    adam = torch.optim.Adam(generator.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        found = generator(audio, wanted[:, 0])
        loss = torch.stack(list(regression_loss(found, wanted, LossWeights()).values())).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.01 * losses[0]
    assert (found - wanted).abs().mean() < 0.05
