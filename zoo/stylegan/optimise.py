"""F of one picture, made better by gradient descent while w+ stays: StyleHEAT's option.

Source: Yin et al. (ECCV 2022), supplement, section 3.1: 250 iterations with fixed style codes, as
Barbershop (Zhu et al., 2021); rate and Adam are the released code's. For motion; an edit takes F as
it was inverted.
Legend: B batch, C channels of the maps, H the side of a picture.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from zoo.stylegan.generator import Features
from zoo.stylegan.prior import Inversion, Prior

STEPS, RATE = 250, 0.01

Distance = Callable[[Tensor, Tensor], Tensor]
"""Of pictures (B, 3, H, H), −1 to 1: a number."""


def optimise_maps(
    prior: Prior,
    inversion: Inversion,
    pictures: Tensor,
    *,
    distance: Distance | None = None,
    steps: int = STEPS,
    on_step: Callable[[float], object] = lambda loss: None,
) -> Inversion:
    """The same w+ with maps that bring the generator nearer to pictures.

    Args:
        prior: whose weights stay.
        inversion: to begin with.
        pictures: (B, 3, H, H), −1 to 1.
        distance: added to the mean square error, as a perceptual one.
        steps: of Adam.
        on_step: gets the loss before each.
    """
    with torch.no_grad():
        features = prior.generator.begin(inversion.styles)
    maps = inversion.maps.detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([maps], RATE)
    for _ in range(steps):
        pred = prior.generator.finish(Features(maps, features.skip), inversion.styles)
        loss = mse_loss(pred, pictures)
        if distance is not None:
            loss = loss + distance(pred, pictures)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        on_step(loss.item())
    return Inversion(inversion.styles, maps.detach())
