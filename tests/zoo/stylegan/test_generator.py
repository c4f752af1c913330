"""The generator: its sizes, its hooks, where it may be left; the discriminator and its losses."""

import math

import pytest
import torch

from zoo.stylegan.discriminator import (
    Discriminator,
    adversarial_loss,
    discriminator_loss,
    gradient_penalty,
    measure_spread,
)
from zoo.stylegan.generator import STYLE, Generator
from zoo.stylegan.sizes import PUBLISHED_WIDTHS

TINY = (8, 8, 8, 6, 4, 4)


@pytest.fixture(scope="module", name="generator")
def _generator() -> Generator:
    torch.manual_seed(0)
    return Generator(TINY, num_mapping=2).requires_grad_(False)


@pytest.fixture(scope="module", name="styles")
def _styles(generator: Generator) -> torch.Tensor:
    return torch.randn(2, generator.num_styles, STYLE, generator=torch.Generator().manual_seed(1))


def list_published() -> dict[str, tuple[int, ...]]:
    """Every tensor of a published checkpoint of 1024 px and its shape, by rule."""
    widths = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64, 1024: 32}
    shapes: dict[str, tuple[int, ...]] = {"input.input": (1, 512, 4, 4)}
    for layer in range(1, 9):
        shapes |= {f"style.{layer}.weight": (512, 512), f"style.{layer}.bias": (512,)}

    def add_conv(name: str, before: int, width: int) -> None:
        shapes.update(
            {
                f"{name}.conv.weight": (1, width, before, 3, 3),
                f"{name}.conv.modulation.weight": (before, 512),
                f"{name}.conv.modulation.bias": (before,),
                f"{name}.noise.weight": (1,),
                f"{name}.activate.bias": (width,),
            }
        )

    def add_colors(name: str, width: int) -> None:
        shapes.update(
            {
                f"{name}.bias": (1, 3, 1, 1),
                f"{name}.conv.weight": (1, 3, width, 1, 1),
                f"{name}.conv.modulation.weight": (width, 512),
                f"{name}.conv.modulation.bias": (width,),
            }
        )

    add_conv("conv1", 512, 512)
    add_colors("to_rgb1", 512)
    shapes["noises.noise_0"] = (1, 1, 4, 4)
    for k, side in enumerate((8, 16, 32, 64, 128, 256, 512, 1024)):
        add_conv(f"convs.{2 * k}", widths[side // 2], widths[side])
        shapes[f"convs.{2 * k}.conv.blur.kernel"] = (4, 4)
        add_conv(f"convs.{2 * k + 1}", widths[side], widths[side])
        add_colors(f"to_rgbs.{k}", widths[side])
        shapes[f"to_rgbs.{k}.upsample.kernel"] = (4, 4)
        for number in (2 * k + 1, 2 * k + 2):
            shapes[f"noises.noise_{number}"] = (1, 1, side, side)
    return shapes


def test_the_published_generator_has_these_tensors() -> None:
    """Of 1024 px: names and shapes, and as many parameters as were counted in it."""
    with torch.device("meta"):
        generator = Generator(PUBLISHED_WIDTHS)
    assert {name: tuple(x.shape) for name, x in generator.state_dict().items()} == list_published()
    assert sum(value.numel() for value in generator.parameters()) == 30_370_060
    assert (generator.side, generator.num_styles, generator.feature_channels) == (1024, 18, 512)


def test_the_discriminator_has_as_many_parameters_as_the_published_of_256_px() -> None:
    with torch.device("meta"):
        network = Discriminator(PUBLISHED_WIDTHS[:7])
    assert sum(value.numel() for value in network.parameters()) == 28_864_129


def test_hooks_see_each_size_once_and_64_in_the_middle(
    generator: Generator, styles: torch.Tensor
) -> None:
    seen = list[tuple[int, ...]]()

    def note(maps: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(maps.shape))
        return maps

    plain = generator.synthesize(styles)
    hooked = generator.synthesize(styles, at_64=note, at=dict.fromkeys((4, 8, 16, 32), note))
    assert torch.equal(plain, hooked)
    assert seen == [(2, width, 4 * 2**k, 4 * 2**k) for k, width in enumerate(TINY[:5])]


def test_the_hook_at_64_stands_between_the_vectors_7_and_8(
    generator: Generator, styles: torch.Tensor
) -> None:
    """The first eight vectors act on what stands before it, the others behind it alone."""
    features = generator.begin(styles)
    later = styles.clone()
    later[:, 8:] += 1
    assert torch.equal(generator.begin(later).maps, features.maps)
    assert not torch.equal(generator.finish(features, later), generator.finish(features, styles))
    earlier = styles.clone()
    earlier[:, :8] += 1
    assert torch.equal(generator.finish(features, earlier), generator.finish(features, styles))
    earlier[:, :7] -= 1
    assert not torch.equal(generator.begin(earlier).maps, features.maps)


def test_what_stands_before_the_hook_can_be_kept(
    generator: Generator, styles: torch.Tensor
) -> None:
    features = generator.begin(styles)
    assert features.maps.shape == (2, generator.feature_channels, 64, 64)
    assert features.skip.shape == (2, 3, 32, 32)
    assert torch.equal(generator.finish(features, styles), generator.synthesize(styles))


def test_noise_is_the_same_in_every_picture(generator: Generator) -> None:
    first = Generator(TINY, num_mapping=2).noises
    assert torch.equal(first.noise_8, generator.noises.noise_8)


def test_the_mapping_network_gives_one_vector_to_all_layers(generator: Generator) -> None:
    styles = generator.map_noise(torch.randn(3, STYLE))
    assert styles.shape == (3, 2 * len(TINY), STYLE)
    assert torch.equal(styles[:, 0], styles[:, -1])
    scaled = generator.map_noise(torch.ones(1, STYLE) * 5)  # noise is brought to one length
    torch.testing.assert_close(scaled, generator.map_noise(torch.ones(1, STYLE)))


def test_less_than_64_px_is_refused() -> None:
    with pytest.raises(ValueError, match="32 px: 64 at least"):
        Generator(TINY[:4])


# --- the discriminator --------------------------------------------------------------------------


def test_the_spread_of_a_group_is_its_standard_deviation() -> None:
    """Of two pictures at −1 and 1 it is 1, of alike ones 0; three are a group of their own."""
    maps = torch.tensor([-1.0, 1.0])[:, None, None, None].expand(2, 3, 4, 4)
    torch.testing.assert_close(measure_spread(maps), torch.ones(2, 1, 4, 4))
    assert measure_spread(maps[:1]).abs().max() < 1e-3
    assert measure_spread(torch.randn(3, 2, 4, 4)).unique().numel() == 1
    assert measure_spread(torch.randn(6, 2, 4, 4)).unique().numel() == 2


def test_the_players_losses_are_softplus() -> None:
    logits = torch.tensor([0.0, 2.0])
    low, high = math.log(2), math.log1p(math.exp(2))
    assert adversarial_loss(-logits) == pytest.approx((low + high) / 2)
    assert discriminator_loss(-logits, logits) == pytest.approx(low + high)


def test_r1_is_the_squared_gradient_of_each_picture() -> None:
    """Logits 3·x of one pixel, and 4·y of another: 9 + 16, mean over pictures."""
    pictures = torch.zeros(2, 3, 2, 2, requires_grad=True)
    logits = 3 * pictures[:, 0, 0, 0] + 4 * pictures[:, 1, 1, 1]
    assert gradient_penalty(logits, pictures) == pytest.approx(25)
