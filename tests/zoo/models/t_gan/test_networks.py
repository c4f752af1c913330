"""The texture GAN's networks: sizes, what reaches what, spectral norm."""

import pytest
import torch

from zoo.models.t_gan.networks import (
    AdaptiveNorm,
    Attention,
    Generator,
    create_discriminator,
    create_generator,
    list_sides,
)
from zoo.models.t_gan.spectral import SpectralConv2d, SpectralLayer, fold_gains, iterate_gains


def count(network: torch.nn.Module) -> int:
    return sum(value.numel() for value in network.parameters())


def count_block(inputs: int, outputs: int, *, is_first: bool = False) -> int:
    """Norms' scale and shift, two convolutions of 3 × 3, one of 1 × 1 where channels change."""
    norms = 2 * outputs + (0 if is_first else 2 * inputs)
    skip = (inputs + 1) * outputs if inputs != outputs else 0
    return norms + 9 * inputs * outputs + (9 * outputs + 1) * outputs + skip


def count_attention(width: int) -> int:
    """Queries, keys (without shifts), values, the way back, the share."""
    eighth, half = width // 8, width // 2
    return (width + 1) * eighth + width * eighth + (width + 1) * half + (half + 1) * width + 1


def count_encoder(inputs: int, widths: tuple[int, ...]) -> int:
    pairs = list(zip((inputs, *widths[:-1]), widths, strict=True))
    return sum(count_block(a, b, is_first=k == 0) for k, (a, b) in enumerate(pairs))


def count_decoder(widths: tuple[int, ...], colors: int) -> int:
    pairs = list(zip(widths[::-1], (*widths[-2::-1], widths[0]), strict=True))
    return sum(count_block(a, b) for a, b in pairs) + (9 * widths[0] + 1) * colors


PAPER, SMALL = (64, 128, 256, 512, 512, 512), (16, 32, 64, 128, 128, 128)


@pytest.mark.parametrize(
    ("preset", "widths", "packing", "attended", "totals"),
    [
        ("paper", PAPER, 1, 256, (41_313_477, 14_305_153)),
        ("small", SMALL, 4, 32, (2_587_078, 899_617)),
    ],
)
def test_parameters_are_those_of_six_blocks_down_and_up(
    preset: str, widths: tuple[int, ...], packing: int, attended: int, totals: tuple[int, int]
) -> None:
    width = widths[-1]
    texture = count_encoder(6 * packing, widths)
    generator = (
        texture
        + count_encoder(3 * packing, widths)
        + count_decoder(widths, 3 * packing)
        + 2 * count_attention(attended)
        + (width + 1) * 2 * width
    )
    discriminator = texture + width + 1
    found = count(create_generator(preset)), count(create_discriminator(preset))
    assert found == (generator, discriminator)
    assert found == totals


def test_maps_are_halved_to_a_bottleneck_of_four() -> None:
    assert list_sides(256) == [128, 64, 32, 16, 8, 4]
    assert list_sides(128) == [64, 32, 16, 8, 4, 4]


@pytest.mark.parametrize(("preset", "size"), [("small", 64), ("small", 128)])
def test_attention_sees_maps_of_32_on_the_way_down_and_up(preset: str, size: int) -> None:
    network = create_generator(preset, size)
    sides: list[tuple[str, int]] = []
    for name, layer in network.named_modules():
        if isinstance(layer, Attention):
            layer.register_forward_hook(
                lambda _, inputs, __, name=name: sides.append(
                    (name.split(".")[0], inputs[0].shape[-1])
                )
            )
    picture = torch.zeros(1, 3, size, size)
    with torch.no_grad():
        found = network(picture, picture, picture)
    assert found.shape == (1, 3, size, size)
    assert sides == [("encoder", 32), ("decoder", 32)]


def test_attention_by_hand() -> None:
    """Every place sees the maxima of 2 × 2 values, weighted by products of queries and keys."""
    torch.manual_seed(0)
    layer = Attention(8)
    layer.share.data.fill_(0.5)
    x = torch.randn(1, 8, 4, 4)
    pool = torch.nn.functional.max_pool2d
    with torch.no_grad():
        query, keys, values = (
            layer.query(x)[0],
            pool(layer.key(x), 2)[0],
            pool(layer.value(x), 2)[0],
        )
        for row in range(4):
            for column in range(4):
                logits = [float(query[0, row, column] * k) for k in keys[0].flatten()]
                weights = torch.tensor(logits).exp()
                seen = (values.flatten(1) * weights / weights.sum()).sum(dim=1)
                added = layer.leave(seen[None, :, None, None])[0, :, 0, 0]
                expected = x[0, :, row, column] + 0.5 * added
                assert torch.allclose(layer(x)[0, :, row, column], expected, atol=1e-5)


def make_generator(**options: bool) -> Generator:
    torch.manual_seed(1)
    return create_generator("small", 64, **options)


def make_pictures(number: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(number, 3, 64, 64, generator=generator) * 2 - 1


@pytest.mark.parametrize("concatenate", [False, True])
def test_the_texture_of_several_pictures_is_their_mean(concatenate: bool) -> None:
    network = make_generator(concatenate=concatenate)
    pictures, rasters = make_pictures(3, 0), make_pictures(3, 1)
    with torch.no_grad():
        together = network.embed(pictures, rasters)
        each = [network.embed(pictures[k : k + 1], rasters[k : k + 1]) for k in range(3)]
    assert together.shape == ((1, 128, 4, 4) if concatenate else (1, 128))
    assert torch.allclose(together, torch.stack(each).mean(dim=0), atol=1e-4)


@pytest.mark.parametrize("concatenate", [False, True])
def test_pictures_of_another_person_and_other_landmarks_change_what_is_drawn(
    concatenate: bool,
) -> None:
    network = make_generator(concatenate=concatenate)
    rasters = make_pictures(2, 1)
    with torch.no_grad():
        one, other = (network.embed(make_pictures(2, seed), rasters) for seed in (2, 3))
        drawn = network.draw(rasters, one)
        assert not torch.allclose(drawn, network.draw(rasters, other), atol=1e-4)
    assert not torch.allclose(drawn[0], drawn[1], atol=1e-4)
    assert drawn.abs().max() < 1


def test_adaptive_norm_by_hand() -> None:
    layer = AdaptiveNorm(2, 3)
    x, texture = torch.randn(1, 2, 4, 4), torch.randn(1, 3)
    numbers = layer.project.divide() @ texture[0] + layer.project.bias
    for channel in range(2):
        values = x[0, channel]
        normal = (values - values.mean()) / (values.var(unbiased=False) + 1e-5).sqrt()
        expected = normal * (1 + numbers[channel]) + numbers[2 + channel]
        assert torch.allclose(layer(x, texture)[0, channel], expected, atol=1e-5)


def test_the_discriminator_sees_the_picture_and_the_mean_of_the_persons() -> None:
    torch.manual_seed(0)
    network = create_discriminator("small", 64)
    pictures, known = make_pictures(2, 0), make_pictures(3, 1)
    with torch.no_grad():
        logits = network(pictures, known)
        by_mean = network(pictures, known.mean(dim=0, keepdim=True))
        by_others = network(pictures, make_pictures(3, 4))
    assert logits.shape == (2,)
    assert torch.allclose(logits, by_mean, atol=1e-5)
    assert not torch.allclose(logits, by_others, atol=1e-4)


def test_the_four_pixels_of_a_packed_one_are_alike_at_first() -> None:
    with torch.no_grad():
        drawn = make_generator()(*(make_pictures(1, seed) for seed in range(3)))
    four = torch.nn.functional.pixel_unshuffle(drawn, 2).unflatten(1, (3, 4))
    assert torch.allclose(four.amin(dim=2), four.amax(dim=2), atol=1e-6)
    assert drawn.std() > 1e-3


@pytest.mark.parametrize("size", [32, 100])
def test_a_side_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"pictures of {size} px: the side must be a power of two"):
        create_generator("small", size)


# --- spectral norm ------------------------------------------------------------------------------


def list_spectral(network: torch.nn.Module) -> list[SpectralLayer]:
    return [layer for layer in network.modules() if isinstance(layer, SpectralLayer)]


def test_every_convolution_and_linear_layer_has_spectral_norm() -> None:
    for network in (create_generator("small", 64), create_discriminator("small", 64)):
        layers = [
            layer
            for layer in network.modules()
            if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)
        ]
        assert layers == list_spectral(network)


def test_weights_are_divided_by_their_largest_singular_value() -> None:
    torch.manual_seed(0)
    layer = SpectralConv2d(3, 5, 3)
    layer.weight.data = torch.randn(5, 3, 3, 3)
    for _ in range(50):
        layer.iterate()
    values = torch.linalg.svdvals(layer.weight.flatten(1))
    assert torch.allclose(layer.divide(), layer.weight / values[0], atol=1e-5)


def test_vectors_move_by_iterate_gains_and_in_no_pass() -> None:
    network = make_generator()
    for layer in list_spectral(network):
        layer.weight.data += 0.1 * torch.randn_like(layer.weight)
    before = [layer.left.clone() for layer in list_spectral(network)]
    pictures = make_pictures(1, 0)
    network.train()(pictures, pictures, pictures).mean().backward()
    assert all(map(torch.equal, before, (layer.left for layer in list_spectral(network))))
    iterate_gains(network)
    assert not any(map(torch.equal, before, (layer.left for layer in list_spectral(network))))


def test_folded_gains_draw_the_same() -> None:
    network = make_generator()
    pictures = make_pictures(1, 0)
    with torch.no_grad():
        before = network(pictures, pictures, pictures)
        fold_gains(network)
        fold_gains(network)
        assert torch.allclose(network(pictures, pictures, pictures), before, atol=1e-5)
