# ruff: noqa: F401, F811 (fixtures are imported)
"""Frames drawn in order by the small generator, beside the generator window by window."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from tests.zoo.models.renderer.test_recipe import SIZE, dataset, make_maker
from zoo.data.frames import load_render_clips
from zoo.models.renderer import drawing, kernels
from zoo.models.renderer.drawing import draw_stretches
from zoo.models.renderer.inputs import to_pictures
from zoo.models.renderer.networks import SmallGenerator, create_generator
from zoo.models.renderer.windows import RenderedWindows, Stretch, paint_frames
from zoo.models.renderer.winograd import Winograd

# --- convolutions -------------------------------------------------------------------------------


@given(rows=st.integers(1, 4), columns=st.integers(1, 4), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_tiles_convolve_as_a_sum_over_neighbours_does(rows: int, columns: int, seed: int) -> None:
    """Beside torch's convolution in float64, of values and weights of deviation one."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(4 * rows, 4 * columns, 5, generator=generator)
    weight = torch.randn(7, 5, 3, 3, generator=generator)
    expected = functional.conv2d(x.permute(2, 0, 1).double(), weight.double(), padding=1)
    found = Winograd(weight)(x)
    torch.testing.assert_close(found.double(), expected.permute(1, 2, 0), rtol=0, atol=3e-4)


def test_pictures_that_tiles_of_four_do_not_fill_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 4"):
        Winograd(torch.ones(1, 1, 3, 3))(torch.ones(4, 6, 1))


# --- pictures in and out ------------------------------------------------------------------------


def test_pictures_are_packed_as_they_are_painted_and_unshuffled_to_the_bit() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 4), np.uint8)
    stretch = Stretch(0, [picture, picture], np.array([1.5, 9.0], np.float32))
    painted = paint_frames(torch.from_numpy(picture[None].repeat(2, 0)), stretch.au45)
    for painted_frame, levels in zip(painted, drawing.list_levels(stretch), strict=True):
        packed = np.empty((4, 4, 16), np.float32)
        kernels.pack_picture(picture, levels, packed)
        expected = functional.pixel_unshuffle(painted_frame, 2).permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(packed, expected)


@pytest.mark.parametrize("channels", [3, 4])
def test_values_become_levels_as_colours_do(channels: int) -> None:
    packed = torch.rand(4, 4, 4 * channels) * 2 - 1
    picture = np.empty((8, 8, channels), np.uint8)
    kernels.unpack_picture(packed.numpy(), picture)
    planes = functional.pixel_shuffle(packed.permute(2, 0, 1), 2)
    expected = [to_pictures(plane.expand(1, 3, -1, -1))[0, ..., 0] for plane in planes]
    np.testing.assert_array_equal(picture, np.stack(expected, axis=-1))


# --- films --------------------------------------------------------------------------------------


def make_generator(outputs: int) -> SmallGenerator:
    """Of random weights, whose pictures reach from black to white."""
    torch.manual_seed(0)
    generator = create_generator("small", SIZE, alpha=outputs == 4).eval()
    assert isinstance(generator, SmallGenerator)
    with torch.no_grad():
        for value in generator.parameters():
            value.add_(torch.randn_like(value), alpha=0.05)
        generator.leave[5].weight.mul_(20)
    return generator


def make_windows(dataset: Path, length: int) -> RenderedWindows:
    """Of so many frames of a clip."""
    clip = load_render_clips(dataset, identity="ann", split="train")[0]
    return make_maker(dataset).make_of_clip(clip.take(0, length))


def draw_film(dataset: Path, length: int, threads: int, outputs: int = 4) -> np.ndarray:
    """Its frames, by so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        windows = make_windows(dataset, length)
        return np.stack(list(draw_stretches(make_generator(outputs), windows)))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("outputs", "length"), [(4, 24), (3, 17), (4, 1)])
def test_films_are_the_generators_to_one_level(dataset: Path, outputs: int, length: int) -> None:
    generator = make_generator(outputs)
    with torch.inference_mode():
        drawn = [to_pictures(generator(w[None])) for w in make_windows(dataset, length)]
    expected = np.concatenate(drawn).astype(int)
    assert np.ptp(expected) > 200
    found = draw_film(dataset, length, threads=1, outputs=outputs)
    assert found.shape == (length, SIZE, SIZE, outputs)
    assert np.abs(found - expected).max() <= 1


def test_films_do_not_depend_on_threads_or_on_where_they_are_divided(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = draw_film(dataset, 24, threads=1)
    monkeypatch.setattr(drawing, "LENGTH", 5)
    for threads in (1, 2):
        np.testing.assert_array_equal(draw_film(dataset, 24, threads), film)


def test_a_film_that_is_left_early_leaves_the_threads_as_they_were(dataset: Path) -> None:
    before = torch.get_num_threads()
    frames = draw_stretches(make_generator(4), make_windows(dataset, 24))
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    assert torch.get_num_threads() == before
