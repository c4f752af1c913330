"""Eqs. 8 to 11 against loops over their numbers."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from toolkit.errors import SetupError
from zoo.models.t_gan.batches import PersonBatch
from zoo.models.t_gan.judges import Judges, open_judges
from zoo.models.t_gan.losses import (
    TextureLosses,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
    pixel_loss,
)
from zoo.training.perceptual import PerceptualDistance, VggDistance
from zoo.training.vgg_face import GROUPS, VggFaceDistance

SIDE = 8
SCALE = (256 / SIDE) ** 2


def make_pictures(seed: int) -> Tensor:
    return torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def walk(a: Tensor, b: Tensor) -> Iterator[tuple[float, float]]:
    yield from zip(a.flatten().tolist(), b.flatten().tolist(), strict=True)


class Halves(PerceptualDistance):
    """Sees a picture and its half; stands for a network."""

    def __init__(self, name: str, gain: float) -> None:
        super().__init__()
        self.name, self.sha256, self.gain = name, "0" * 64, gain

    def see(self, pictures: Tensor) -> list[Tensor]:
        return [self.gain * pictures, nn.functional.avg_pool2d(pictures, 2)]


def test_the_pixel_loss_is_a_sum_over_a_picture_of_the_papers_size() -> None:
    pred, target = make_pictures(0), make_pictures(1)
    squares = sum((a - b) ** 2 for a, b in walk(pred, target))
    assert float(pixel_loss(pred, target)) == pytest.approx(squares / 2 * SCALE, rel=1e-5)


def test_adversarial_losses_are_logarithms_of_probabilities() -> None:
    real, pred = torch.tensor([0.3, -1.2]), torch.tensor([2.0, 0.1])

    def p(value: float) -> float:
        return 1 / (1 + math.exp(-value))

    expected = -sum(math.log(p(v)) for v in pred.tolist()) / 2
    assert float(adversarial_loss(pred)) == pytest.approx(expected, rel=1e-5)
    eq9 = sum(math.log(p(v)) for v in real.tolist()) / 2
    eq9 += sum(math.log(1 - p(v)) for v in pred.tolist()) / 2
    assert float(discriminator_loss(real, pred)) == pytest.approx(-eq9, rel=1e-5)


def test_the_feature_loss_weighs_both_networks_as_printed() -> None:
    pred, target = make_pictures(0), make_pictures(1)
    judges = Judges(Halves("random", 3.0), Halves("vggface", 5.0))
    whole = sum((a - b) ** 2 for a, b in walk(pred, target)) / 2
    pool = nn.functional.avg_pool2d
    half = sum((a - b) ** 2 for a, b in walk(pool(pred, 2), pool(target, 2))) / 2
    expected = 0.1 * (9 * whole + half) + 0.002 * (25 * whole + half)
    found = float(feature_loss(pred, target, judges))
    assert found == pytest.approx(expected * SCALE, rel=1e-5)


def test_the_face_recognisers_maps_are_compared_over_their_size() -> None:
    """A gain of the network changes nothing."""
    pred, target = make_pictures(0), make_pictures(1)
    one, other = (
        float(feature_loss(pred, target, Judges(Halves("random", 1), Halves("face", gain))))
        for gain in (1.0, 100.0)
    )
    assert one == pytest.approx(other, rel=1e-5)


def test_no_feature_gradient_reaches_the_target() -> None:
    pred, target = make_pictures(0).requires_grad_(), make_pictures(1).requires_grad_()
    feature_loss(pred, target, Judges(Halves("random", 1), None)).backward()
    assert pred.grad is not None
    assert target.grad is None


BATCH = PersonBatch(
    target=make_pictures(1),
    raster=make_pictures(2),
    pictures=make_pictures(3),
    rasters=make_pictures(4),
)


def fake_networks() -> dict[str, Callable[..., Tensor]]:
    return {
        "discriminator": lambda picture, known: (picture - known.mean(dim=0)).mean(dim=(1, 2, 3)),
        "generator": lambda raster, pictures, rasters: raster * 0.9,
    }


@pytest.mark.parametrize("with_judges", [True, False])
@pytest.mark.parametrize("with_discriminator", [True, False])
def test_eq_11_is_the_weighted_sum_of_the_terms_there_are(
    with_judges: bool, with_discriminator: bool
) -> None:
    networks = fake_networks()
    if not with_discriminator:
        del networks["discriminator"]
    judges = Judges(Halves("random", 1.0), None) if with_judges else None
    found = dict(TextureLosses(judges)(networks, BATCH))
    pred, known = BATCH.raster * 0.9, BATCH.pictures.mean(dim=0)
    expected = 0.5 * pixel_loss(pred, BATCH.target)
    if with_judges:
        expected = expected + 0.3 * feature_loss(pred, BATCH.target, Judges(Halves("", 1.0), None))
    if with_discriminator:
        logits = [(p - known).mean(dim=(1, 2, 3)) for p in (BATCH.target, pred)]
        expected = expected + 1.0 * adversarial_loss(logits[1])
        loss = discriminator_loss(*logits)
        assert float(found["discriminator"]) == pytest.approx(float(loss), rel=1e-5)
    assert list(found) == list(networks)
    assert float(found["generator"]) == pytest.approx(float(expected) / (3 * 256**2), rel=1e-5)


def test_the_generator_meets_the_discriminator_that_has_learnt() -> None:
    """A step of it between the two losses changes the second one."""
    networks = fake_networks()
    losses = TextureLosses(None)(networks, BATCH)
    next(losses)
    networks["discriminator"] = lambda picture, known: picture.new_full((2,), 50.0)
    _, loss = next(losses)
    alone = 0.5 * pixel_loss(BATCH.raster * 0.9, BATCH.target) / (3 * 256**2)
    assert float(loss) == pytest.approx(float(alone), rel=1e-5)


# --- networks that judge ------------------------------------------------------------------------


@pytest.fixture
def _no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the user has fetched or installed."""
    monkeypatch.setenv("TTK_WEIGHTS", str(tmp_path / "none"))


@pytest.mark.usefixtures("_no_weights")
def test_stand_ins_are_named() -> None:
    judges = open_judges(None, None, "none", half=True)
    described = judges.describe()
    assert described["vgg"].startswith("random ")
    assert described["face"] == "none"
    assert [name for name, _ in judges.items()] == ["vgg"]
    assert isinstance(judges.vgg.network, VggDistance)


def make_vgg_face(naming: str) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    tensors, inputs, place = {}, 3, 0
    for number, (width, depth) in enumerate(GROUPS, 1):
        for k in range(1, depth + 1):
            name = f"features.{place}" if naming == "torchvision" else f"conv{number}_{k}"
            shape = (width, inputs, 3, 3)
            tensors[f"{name}.weight"] = torch.randn(shape, generator=generator) * 0.01
            tensors[f"{name}.bias"] = torch.zeros(width)
            inputs, place = width, place + 2
        place += 1
    return tensors


def test_vgg_face_is_read_by_either_naming(tmp_path: Path) -> None:
    """Five maps, each half as wide as the one before; blue, green, red less their means."""
    seen = []
    for naming in ("torchvision", "caffe"):
        path = tmp_path / f"{naming}.safetensors"
        save_file(make_vgg_face(naming), path)
        judge = VggFaceDistance(path)
        seen.append(judge.see(torch.full((1, 3, 32, 32), 0.5)))
        first = judge.groups[0][0]  # type: ignore[index]
        level = 1.5 * 127.5 - torch.tensor([93.5940, 104.7624, 129.1863])
        expected = torch.relu((first.weight.sum(dim=(2, 3)) @ level)[0])
        assert float(seen[-1][0][0, 0, 9, 9]) == pytest.approx(float(expected), abs=1e-3)
    assert [tuple(value.shape[1:]) for value in seen[0]] == [
        (64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 2, 2)
    ]  # fmt: skip
    assert all(map(torch.equal, *seen))


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"conv1_1.weight": torch.zeros(64, 3, 3, 3)}, path)
    with pytest.raises(SetupError, match=r"not VGGFace: neither features.0 nor conv1_1"):
        VggFaceDistance(path)
