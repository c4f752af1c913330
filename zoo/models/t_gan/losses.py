"""The texture GAN's losses, eqs. 8 to 11 of Das et al. (ECCV 2020).

The paper prints squared norms, and no word on what they are divided by. Here they are sums over a
picture, or over a layer's activations, and means over the batch; of smaller pictures than the
paper's they are enlarged to its number of pixels, so that the printed weights mean the same. The
sum of all terms is divided by the numbers of a picture: that turns no gradient, and gradient
descent at the printed step of 1e-3 goes downhill; without, it diverges at its first step.

Legend: B batch, H the side of a picture, C channels.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from zoo.models.t_gan.batches import PersonBatch
from zoo.models.t_gan.judges import Judges

PAPER_SIDE = 256
"""Of the paper's pictures, px."""


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """λ of eq. 11 and α of eq. 10, as printed in section 4.3."""

    pixel: float = 0.5
    adversarial: float = 1.0
    feature: float = 0.3
    vgg: float = 0.1
    face: float = 0.002


WEIGHTS = LossWeights()


def square_norm(pred: Tensor, target: Tensor) -> Tensor:
    """‖pred − target‖² of (B, C, h, w), mean over B."""
    return (pred.float() - target.float()).square().sum() / len(pred)


def pixel_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Eq. 8 of pictures (B, 3, H, H), −1 to 1."""
    return square_norm(pred, target) * _enlarge(pred)


def feature_loss(pred: Tensor, target: Tensor, judges: Judges) -> Tensor:
    """Eq. 10 of pictures (B, 3, H, H), −1 to 1; no gradient reaches `target`."""
    total = pred.new_zeros(())
    weights = {"vgg": WEIGHTS.vgg, "face": WEIGHTS.face}
    for name, judge in judges.items():
        with torch.no_grad():
            known = judge.see(target)
        seen = judge.see(pred)
        norms = [judge.compare_squares(a, b) for a, b in zip(seen, known, strict=True)]
        total = total + weights[name] * torch.stack(norms).sum()
    return total * _enlarge(pred)


def adversarial_loss(pred: Tensor) -> Tensor:
    """The generator's part of eq. 9, of logits (B,): −log D, not log(1 − D), which fades."""
    return softplus(-pred).mean()


def discriminator_loss(real: Tensor, pred: Tensor) -> Tensor:
    """Eq. 9 of logits (B,) each, negated: the discriminator makes it small."""
    return softplus(-real).mean() + softplus(pred).mean()


def _enlarge(pictures: Tensor) -> float:
    return float((PAPER_SIDE / pictures.shape[-1]) ** 2)


class TextureLosses:
    """What both networks learn from, one after the other."""

    def __init__(
        self,
        judges: Judges | None,
        *,
        computing: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Keep what judges features, if any, and the precision to compute in."""
        self._judges, self._computing = judges, computing
        self._figures: dict[str, Tensor] = {}

    def read_figures(self) -> dict[str, float]:
        """Terms of the last generator's loss, without their weights, for the log.

        The feature term's name has the networks that judge.
        """
        figures = {name: float(value) for name, value in self._figures.items()}
        if self._judges is not None and "loss feature" in figures:
            judges = " + ".join(name.split()[0] for name in self._judges.describe().values())
            figures[f"loss feature ({judges})"] = figures.pop("loss feature")
        return figures

    def __call__(
        self, networks: Mapping[str, Callable[..., Tensor]], batch: PersonBatch
    ) -> Iterator[tuple[str, Tensor]]:
        """(name, loss) of the discriminator, where there is one, and then of the generator."""
        figures = {}
        with self._computing():
            pred = networks["generator"](batch.raster, batch.pictures, batch.rasters)
        if "discriminator" in networks:
            with self._computing():
                logits = [
                    networks["discriminator"](picture, batch.pictures)
                    for picture in (batch.target, pred.detach())
                ]
            loss = discriminator_loss(logits[0], logits[1])
            figures["loss discriminator"] = loss.detach()
            yield "discriminator", loss
        terms = {"pixel": pixel_loss(pred, batch.target)}
        with self._computing():
            if "discriminator" in networks:
                terms["adversarial"] = adversarial_loss(
                    networks["discriminator"](pred, batch.pictures)
                )
            if self._judges is not None:
                terms["feature"] = feature_loss(pred, batch.target, self._judges)
        total = sum_terms(terms)
        shown = {f"loss {name}": value.detach() for name, value in terms.items()}
        self._figures = {"loss": total.detach()} | shown | figures
        yield "generator", total


def sum_terms(terms: Mapping[str, Tensor]) -> Tensor:
    """Eq. 11 of its terms `pixel`, `adversarial` and `feature`, over 3·256²; some may lack."""
    weighted = [getattr(WEIGHTS, name) * value for name, value in terms.items()]
    return torch.stack(weighted).sum() / (3 * PAPER_SIDE**2)
