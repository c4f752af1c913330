"""Networks by which features are compared, eq. 10: VGG19 and VGGFace, or what stands for them.

VGG19: the user's file, or a fixed random network of its shape. VGGFace: the user's file, or dlib's
face recogniser where the extra `identity` is installed, or none.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor, nn

from toolkit.weights import Status, check_weights, locate
from zoo.models.t_gan.options import NONE
from zoo.training.face_weights import INSTALL, NAME
from zoo.training.options import AUTO, FACE, RANDOM, VGG19
from zoo.training.perceptual import PerceptualDistance, open_perceptual
from zoo.training.vgg_face import VggFaceDistance


class Judge(nn.Module):
    """A network that sees features, and how two of its maps are compared."""

    def __init__(self, network: PerceptualDistance) -> None:
        super().__init__()
        self.network = network
        self.name, self.sha256 = network.name, network.sha256

    def see(self, pictures: Tensor) -> list[Tensor]:
        """Maps (B, C, h, w) of pictures (B, 3, H, H), −1 to 1."""
        return self.network.see(pictures)

    def compare_squares(self, pred: Tensor, target: Tensor) -> Tensor:
        """‖pred − target‖² of a layer's maps, mean over B.

        The face recogniser's maps differ in size a hundredfold from depth to depth: they are
        divided by the mean of what the real picture gives.
        """
        pred, target = pred.float(), target.float()
        if self.name == FACE:
            size = target.abs().mean().clamp(min=1e-6)
            pred, target = pred / size, target / size
        return (pred - target).square().sum() / len(pred)


class Judges(nn.Module):
    """Those of a run: `vgg`, and `face` where there is one."""

    def __init__(self, vgg: PerceptualDistance, face: PerceptualDistance | None) -> None:
        super().__init__()
        self.vgg = Judge(vgg)
        self.face = None if face is None else Judge(face)

    def items(self) -> Iterator[tuple[str, Judge]]:
        """By their names."""
        yield "vgg", self.vgg
        if self.face is not None:
            yield "face", self.face

    def describe(self) -> dict[str, str]:
        """Name and digest of each, for checkpoints and recipes."""
        face = "none" if self.face is None else _describe(self.face)
        return {"vgg": _describe(self.vgg), "face": face}


def _describe(judge: Judge) -> str:
    return f"{judge.name} {judge.sha256[:12]}"


def open_judges(
    vgg: Path | None, vgg_face: Path | None, face: str = AUTO, *, half: bool = False
) -> Judges:
    """The networks of eq. 10.

    Args:
        vgg: VGG19's file; None: the one that was fetched, else the random network.
        vgg_face: VGGFace's file, or None.
        face: what judges in VGGFace's place where its file is not given: `face`, dlib's
            recogniser; `none`; `auto`: dlib's where it is installed, else none, with a warning.
        half: VGG19 and VGGFace look at pictures of half the size.

    Raises:
        SetupError: weights are missing, damaged or another network's.
    """
    kind = VGG19 if vgg is not None or locate(VGG19).is_file() else RANDOM
    first = open_perceptual(kind, vgg, half=half)
    if vgg_face is not None:
        return Judges(first, VggFaceDistance(vgg_face, half=half))
    if face == AUTO:
        face = FACE if check_weights(NAME) is Status.INTACT else NONE
        if face == NONE:
            text = f"no network that knows faces judges pictures: {INSTALL}, or give --vgg-face"
            warnings.warn(text, stacklevel=2)
    return Judges(first, open_perceptual(FACE) if face == FACE else None)
