"""Losses of StyleHEAT beside calculations by hand."""

from collections.abc import Sequence
from typing import ClassVar

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zoo.models.styleheat.losses import (
    domain_loss,
    draw_boxes,
    draw_mouth,
    draw_surroundings,
    perceptual_loss,
    regular_loss,
    transfer_loss,
)
from zoo.models.styleheat.presets import WEIGHTS
from zoo.models.styleheat.sync import cut_squares, judge_lips, sync_loss
from zoo.models.syncnet.faces import cut_square
from zoo.training.perceptual import PerceptualDistance


class TwoLayers(PerceptualDistance):
    """Sees the picture, and it halved and doubled in value."""

    name = "two"
    weights: Sequence[float] = (1.0, 0.5)

    def see(self, pictures: Tensor) -> list[Tensor]:
        return [pictures, 2 * nn.functional.avg_pool2d(pictures, 2)]


JUDGE = TwoLayers()


def make_pictures() -> tuple[Tensor, Tensor]:
    """4 × 4 px: they differ by 1 in the left half and by 0.5 in the right."""
    target = torch.zeros(1, 3, 4, 4)
    pred = target.clone()
    pred[..., :2], pred[..., 2:] = 1.0, -0.5
    return pred.requires_grad_(), target


def make_points() -> Tensor:
    """(1, 68, 2): the mouth's box is the picture's lower left quarter, the eyes' are above."""
    points = torch.full((1, 68, 2), 0.5)
    points[0, 48:] = torch.tensor([0.25, 0.75])
    points[0, 48], points[0, 49] = torch.tensor([0.1, 0.6]), torch.tensor([0.4, 0.9])
    points[0, 36:42], points[0, 42:48] = torch.tensor([0.2, 0.2]), torch.tensor([0.8, 0.2])
    return points


def test_the_printed_weights_are_those_of_the_supplement() -> None:
    found = (WEIGHTS.pixel, WEIGHTS.regular, WEIGHTS.sync)
    assert found == (10, 0.1, 1)
    assert (WEIGHTS.domain, WEIGHTS.adversarial, WEIGHTS.motion) == (0.01, 0.1, 0.01)


def test_a_perceptual_loss_is_the_weighted_mean_of_absolute_differences() -> None:
    """0.75 of the first layer, twice that of the second, which counts half."""
    pred, target = make_pictures()
    assert perceptual_loss(JUDGE, pred, target).item() == pytest.approx(0.75 + 0.5 * 1.5)


def test_every_further_size_counts_as_much() -> None:
    """At half the size the second layer sees one pixel, of 1 and -0.5."""
    pred, target = make_pictures()
    found = perceptual_loss(JUDGE, pred, target, scales=2)
    assert found.item() == pytest.approx((0.75 + 0.5 * 1.5) + (0.75 + 0.5 * 2 * 0.25))


def test_a_mask_weighs_features_where_they_lie() -> None:
    """The left half alone: 1 there in the first layer, 2 in the second, which counts half."""
    pred, target = make_pictures()
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    found = perceptual_loss(JUDGE, pred, target, mask)
    assert found.item() == pytest.approx(1 + 0.5 * 2)


def test_equation_1_adds_ten_times_the_masked_absolute_error() -> None:
    pred, target = make_pictures()
    mask = torch.full((1, 1, 4, 4), 0.2)
    mask[..., :2] = 1
    features = 0.5 * (1 + 0.2 * 0.5) + 0.5 * 0.5 * (2 + 0.2 * 1)
    pixels = 0.5 * (1 + 0.2 * 0.5)
    found = transfer_loss(JUDGE, pred, target, mask)
    assert found.item() == pytest.approx((features + 10 * pixels) / 0.6)
    whole = transfer_loss(JUDGE, pred, target)
    assert whole.item() == pytest.approx(0.75 + 0.5 * 1.5 + 10 * 0.75)


def test_every_picture_counts_alike_however_large_its_mask_is() -> None:
    """So that the means of two halves of a batch are the batch's."""
    pred, target = (torch.cat([x, 2 * x]) for x in make_pictures())
    mask = torch.ones(2, 1, 4, 4)
    mask[1, ..., 2:] = 0.1
    whole = transfer_loss(JUDGE, pred, target, mask)
    halves = [
        transfer_loss(JUDGE, pred[k : k + 1], target[k : k + 1], mask[k : k + 1]) for k in (0, 1)
    ]
    assert whole.item() == pytest.approx(sum(half.item() for half in halves) / 2)


def test_equation_2_counts_what_lies_outside_the_mask() -> None:
    pred, proxy = make_pictures()
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    found = regular_loss(JUDGE, pred, proxy, mask)
    assert found.item() == pytest.approx(0.5 + 0.5 * 1)


def test_boxes_hold_the_pixels_whose_middles_lie_in_them() -> None:
    points = torch.tensor([[[0.3, 0.55], [0.6, 0.6]]])
    box = draw_boxes(points, 8, 1 / 16)[0, 0]
    expected = torch.zeros(8, 8)
    expected[4:5, 2:5] = 1  # x from 0.2375 to 0.6625, y from 0.4875 to 0.6625
    torch.testing.assert_close(box, expected)


@pytest.mark.parametrize(
    ("step", "outside"), [(0, 0.2), (499, 0.2), (500, 0.05), (1999, 0.05), (2000, 0.005)]
)
def test_outside_the_mouth_less_and_less_counts(step: int, outside: float) -> None:
    mask = draw_mouth(make_points(), 4, step)[0, 0]
    expected = torch.full((4, 4), outside)
    expected[2:, :2] = 1
    torch.testing.assert_close(mask, expected)


def test_the_domain_loss_leaves_mouth_and_eyes_out_and_moves_the_calibrated_picture_alone() -> None:
    """At 16 px: each eye is 2 × 2 pixels, the mouth 6 × 6 of them."""
    mask = draw_surroundings(make_points(), 16)
    assert mask.sum() == 256 - 2 * 4 - 36
    pred, warped = (torch.zeros(1, 3, 16, 16, requires_grad=True) for _ in range(2))
    domain_loss(JUDGE, pred + 1, warped + 0, make_points()).backward()  # type: ignore[no-untyped-call]
    assert warped.grad is None
    assert pred.grad is not None
    assert (pred.grad[0, 0, 10:14, 2:6] == 0).all()
    assert (pred.grad[0, 0, :, 14:] > 0).all()


# --- D_sync -------------------------------------------------------------------------------------


class KnownEmbeddings(nn.Module):
    """Embeddings at an angle that the pictures' mean level says, of 0 to 255."""

    seen: ClassVar[list[Tensor]] = []

    def embed_faces(self, faces: Tensor) -> Tensor:
        self.seen.append(faces)
        angle = faces.mean(dim=(1, 2, 3, 4)) / 255 * torch.pi
        return torch.stack([angle.cos(), angle.sin()], dim=1)

    def embed_sound(self, sound: Tensor) -> Tensor:
        return torch.tensor([[2.0, 0.0]]).expand(len(sound), -1)


class KnownJudge:
    """What `judge_lips` asks for."""

    name, sha256, size = "known", "", 8

    def __init__(self, channels: int) -> None:
        self.channels, self.network = channels, KnownEmbeddings()


@pytest.mark.parametrize(("level", "expected"), [(-1.0, 1.0), (0.0, 0.5), (1.0, 0.0)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_probability_is_one_plus_the_cosine_over_two(
    channels: int, level: float, expected: float
) -> None:
    """Of embeddings at 0, 90 and 180 degrees, whatever their lengths."""
    pictures = torch.full((1, 5, 3, 16, 16), level)
    squares = torch.tensor([[0.5, 0.5, 0.5, 0.0]])
    found = judge_lips(KnownJudge(channels), pictures, squares, torch.zeros(1, 13, 20))
    assert found.item() == pytest.approx(expected, abs=1e-5)


def test_the_judge_sees_grey_as_opencv_weighs_it_or_blue_first() -> None:
    pictures = torch.full((1, 5, 3, 16, 16), -1.0)
    pictures[:, :, 0] = 1.0
    squares = torch.tensor([[0.5, 0.5, 0.5, 0.0]])
    grey, color = KnownJudge(1), KnownJudge(3)
    for judge in (grey, color):
        judge_lips(judge, pictures, squares, torch.zeros(1, 13, 20))
    one, other = KnownEmbeddings.seen[-2:]
    assert one.shape == (1, 1, 5, 8, 8)
    torch.testing.assert_close(one, torch.full_like(one, 0.299 * 255))
    assert other[0, :, 0, 0, 0].tolist() == [0, 0, 255]


def test_equation_3_is_the_negative_logarithm_and_finite() -> None:
    found = sync_loss(torch.tensor([1.0, 0.25]))
    assert found.item() == pytest.approx(np.log(4) / 2)
    assert sync_loss(torch.tensor([0.0])).isfinite()


@pytest.mark.parametrize("side", [20.0, 50.0])
def test_squares_are_those_that_the_judge_was_trained_on(side: float) -> None:
    """Beside OpenCV's, turned, larger and smaller than they are drawn."""
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8), (0, 0), 2)
    place = (30.0, 35.0, side, 0.3)
    expected = cut_square(picture, place, 16)
    given = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    squares = torch.tensor([[30 / 64, 35 / 64, side / 64, 0.3]])
    found = cut_squares(given, squares, 16)[0].permute(1, 2, 0).numpy()
    assert np.abs(found - expected)[1:-1, 1:-1].max() <= 2


def test_gradients_reach_the_pictures() -> None:
    pictures = torch.zeros(1, 5, 3, 16, 16, requires_grad=True)
    squares = torch.tensor([[0.5, 0.5, 0.5, 0.0]])
    found = judge_lips(KnownJudge(1), pictures, squares, torch.zeros(1, 13, 20))
    sync_loss(found).backward()  # type: ignore[no-untyped-call]
    assert pictures.grad is not None
    assert (pictures.grad[:, :, :, 6:10, 6:10] != 0).all()
