"""3DMM coefficients by Deng et al.'s network (CVPRW 2019), with the user's checkpoint and BFM.

A ResNet-50 (He et al., CVPR 2016; stride in the 3×3 convolution) looks at a 224 px crop and seven
linear heads give the 257 coefficients. Tensor names are those of the published PyTorch checkpoint.

Shape legend: B pictures, T frames.
"""

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from toolkit.errors import SetupError
from toolkit.facemodel.bfm import read_bfm, unpack_coefficients
from toolkit.facemodel.camera import (
    DENG_CENTER,
    DENG_CROP,
    flip_axes,
    move_origin,
    pose_from_deng,
)
from toolkit.features.base import Arrays, Extractor
from toolkit.schema import ClipInput, Provenance
from toolkit.storage import hash_file
from toolkit.weights import read_checkpoint

Floats = npt.NDArray[np.float64]

HEADS = (80, 64, 80, 3, 27, 2, 1)
"""Outputs of the heads: identity, expression, texture, angles, illumination, x and y, z."""

RESCALE = 102.0
"""Crop pixels per unit of the standard points: the size a face has in the crop."""

STANDARD_POINTS: Floats = np.array(
    [
        [-0.31148657, 0.29036078, 0.13377953],
        [0.30979887, 0.28972036, 0.13179526],
        [0.0032535, -0.04617932, 0.55244243],
        [-0.25216928, -0.38133916, 0.22405732],
        [0.2484662, -0.38128236, 0.22235769],
    ]
)
"""Their five points in 3-D (y up): eyes, nose tip, mouth corners; left in the picture first."""

FIVE_POINTS: tuple[tuple[int, ...], ...] = (
    (160, 158, 153, 144),
    (385, 387, 373, 380),
    (4,),
    (61,),
    (291,),
)
"""Vertices of the face mesh whose mean is each of the five: lids, nose tip, mouth corners."""

BATCH = 16

WHERE = (
    "download epoch_20.pth by the link in the README of "
    "https://github.com/sicxu/Deep3DFaceRecon_pytorch and give it with --deng-checkpoint"
)


class DengCoefficients(Extractor):
    """Identity, texture, expression, light and pose from the picture alone, frame by frame.

    Identity and texture are the median over the clip. The pose is brought into the clip's camera
    and to our head origin, the centroid of the BFM's 68 points: see `camera.pose_from_deng` and
    `camera.change_intrinsics` for what of it is exact.
    """

    arrays = (
        "clips/identity_coefficients",
        "clips/texture_coefficients",
        "face/expression",
        "face/illumination",
        "face/model_pose",
    )

    def __init__(self, *, deng_checkpoint: Path | None = None, bfm: Path | None = None) -> None:
        """Load the network and the face model.

        Args:
            deng_checkpoint: the published `epoch_20.pth`, or a state dict of the same names.
            bfm: `BFM_model_front.mat`: see `toolkit.facemodel.bfm`.

        Raises:
            SetupError: either is not given, missing or not what it should be.
        """
        if deng_checkpoint is None:
            raise SetupError(f"--coefficients deng needs its checkpoint: {WHERE}")
        if bfm is None:
            raise SetupError("--coefficients deng needs --bfm PATH, Deng's BFM_model_front.mat")
        self._checkpoint = Path(deng_checkpoint)
        self._origin = flip_axes(read_bfm(Path(bfm)).head_origin)
        self._network = load_network(self._checkpoint)
        self._sha256 = hash_file(self._checkpoint)

    def provenance(self) -> Provenance:
        """The checkpoint's digest."""
        note = "BFM 2009; identity and texture: median over the clip"
        return Provenance(
            backend="deng", version="resnet50", weights_sha256=self._sha256, note=note
        )

    def extract(self, clip: ClipInput) -> Arrays:
        """The five arrays of `arrays`, float32."""
        scale, offset = align_crops(clip.load_landmarks())
        parts = unpack_coefficients(self._predict(clip, scale, offset))
        pose = pose_from_deng(
            parts["angles"],
            parts["translation"],
            scale=scale,
            offset=offset,
            intrinsics=clip.intrinsics,
        )
        found = {
            "clips/identity_coefficients": np.median(parts["identity"], axis=0),
            "clips/texture_coefficients": np.median(parts["texture"], axis=0),
            "face/expression": parts["expression"],
            "face/illumination": parts["illumination"],
            "face/model_pose": move_origin(pose, self._origin),
        }
        return {name: values.astype(np.float32) for name, values in found.items()}

    def _predict(self, clip: ClipInput, scale: Floats, offset: Floats) -> Floats:
        """Coefficients (T, 257)."""
        crops = (
            cut_crop(picture, s, o)
            for picture, s, o in zip(clip.read_frames(), scale, offset, strict=True)
        )
        found = []
        while batch := list(islice(crops, BATCH)):
            pictures = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float() / 255
            with torch.inference_mode():
                found.append(self._network(pictures).double().numpy())
        return np.concatenate(found)


def align_crops(landmarks: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The similarity from picture to crop of each frame, from five points of the mesh.

    Least squares fits an affine camera to the five standard points; the crop shows that camera's
    origin at its principal point, at 102 px per unit.

    Args:
        landmarks: (T, 468 or more, 2 or 3) px in the picture.

    Returns:
        scale (T,) and offset (T, 2): a picture point p is at `scale·p + offset` in the crop.
    """
    landmarks = np.asarray(landmarks, dtype=np.float64)
    points = np.stack([landmarks[:, group, :2].mean(axis=1) for group in map(list, FIVE_POINTS)], 1)
    inverse = np.linalg.pinv(np.concatenate([STANDARD_POINTS, np.ones((5, 1))], axis=1))
    camera = inverse @ points  # (T, 4, 2): three rows of the linear part, then the translation
    scale = RESCALE / np.linalg.norm(camera[:, :3], axis=1).mean(axis=-1)
    return scale, np.array(DENG_CENTER) - scale[:, None] * camera[:, 3]


def cut_crop(
    picture: npt.NDArray[np.uint8], scale: float, offset: npt.ArrayLike
) -> npt.NDArray[np.uint8]:
    """The crop (224, 224, 3) of a picture (H, W, 3), bicubic, black outside the picture."""
    from PIL import Image

    x, y = -np.asarray(offset, dtype=np.float64) / scale
    side = DENG_CROP / scale
    height, width = picture.shape[:2]
    # Only what the crop and the filter's support see is padded; PIL's box must lie inside.
    pad = int(np.ceil(max(0.0, -x, -y, x + side - width, y + side - height)))
    if pad:
        picture = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)))
    box = (x + pad, y + pad, x + pad + side, y + pad + side)
    image = Image.fromarray(picture).resize(
        (DENG_CROP, DENG_CROP), Image.Resampling.BICUBIC, box=box
    )
    return np.asarray(image)


def load_network(path: Path) -> "ReconstructionNetwork":
    """The network with a checkpoint's weights, for inference.

    Raises:
        SetupError: no such file, it is not plain weights, or its tensors are not those of this
            network.
    """
    if not path.is_file():
        raise SetupError(f"no checkpoint at {path}: {WHERE}")
    state: Any = read_checkpoint(path)
    network = ReconstructionNetwork()
    state = state.get("net_recon", state) if isinstance(state, dict) else state
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SetupError(f"{path} is not Deng et al.'s network: {reason}…; {WHERE}") from error
    return network.eval()


class ReconstructionNetwork(nn.Module):
    """Pictures (B, 3, 224, 224), RGB 0 to 1, to coefficients (B, 257)."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ResNet50()
        self.final_layers = nn.ModuleList(nn.Conv2d(2048, size, 1) for size in HEADS)

    def forward(self, pictures: Tensor) -> Tensor:
        features = self.backbone(pictures)  # (B, 2048, 1, 1)
        return torch.cat([head(features) for head in self.final_layers], dim=1).flatten(1)


class ResNet50(nn.Module):
    """ResNet-50 without its last layer: (B, 3, H, W) to (B, 2048, 1, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _make_stage(64, 64, blocks=3, stride=1)
        self.layer2 = _make_stage(256, 128, blocks=4, stride=2)
        self.layer3 = _make_stage(512, 256, blocks=6, stride=2)
        self.layer4 = _make_stage(1024, 512, blocks=3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, stride=2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return nn.functional.adaptive_avg_pool2d(x, 1)


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions beside a shortcut; four times `width` channels out."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, 4 * width, 1, stride=stride, bias=False),
                nn.BatchNorm2d(4 * width),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        y = self.bn3(self.conv3(y)) + self.downsample(x)
        return torch.relu(y)


def _make_stage(channels: int, width: int, *, blocks: int, stride: int) -> nn.Sequential:
    first = Bottleneck(channels, width, stride)
    return nn.Sequential(first, *(Bottleneck(4 * width, width, 1) for _ in range(blocks - 1)))
