"""What the network sees of a motion: the same in training, reenactment and synthesis.

Legend: n frames of a motion, H the side of a picture.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from toolkit.errors import ToolkitError
from toolkit.facemodel.bfm import read_bfm
from toolkit.facemodel.model import DEFAULT_PATH, FaceModel, load_default
from toolkit.storage import hash_file
from toolkit.weights import locate
from zoo.data.crop_camera import CropCamera
from zoo.data.frames import RenderClip
from zoo.graphics.render import FaceRenderer
from zoo.graphics.surface import Surface
from zoo.models.renderer.person import Person
from zoo.models.renderer.presets import PRESETS, WindowShape
from zoo.models.renderer.regions import place_regions
from zoo.models.renderer.windows import RenderedWindows
from zoo.motion.pose_map import smooth_motion
from zoo.training.options import find_preset

ELLIPSES = "ellipses"
"""How eyes are painted, in checkpoints; those that do not say saw whole triangles."""


@dataclass(frozen=True, eq=False)
class NamedFaceModel:
    """A face model and what tells it from others.

    Attributes:
        model: the model.
        name: `embedded`, or `bfm2009`.
        sha256: of its file.
    """

    model: FaceModel
    name: str
    sha256: str


def find_face_model(backend: str) -> NamedFaceModel:
    """The face model that coefficients belong to: the embedded one, or the user's BFM.

    Args:
        backend: what made them, as in `RenderClip.backends`.

    Raises:
        ToolkitError: another version of the embedded model, or a backend without one.
        SetupError: the BFM is not in the folder of weights, or damaged.
    """
    words = backend.split()
    if words[0] == "deng":
        path = locate("bfm2009")
        model = FaceModel.from_bfm(read_bfm(path))
        return NamedFaceModel(model, "bfm2009", hash_file(path))
    found = hash_file(DEFAULT_PATH)
    if words[0] != "embedded" or words[-1] != found:
        raise ToolkitError(
            f"coefficients by {backend} belong to no face model at hand (the embedded one is "
            f"{found}): ingest the videos again with this version of ttk"
        )
    return NamedFaceModel(load_default(), "embedded", found)


@dataclass(frozen=True, eq=False)
class WindowMaker:
    """Makes windows of one person.

    Attributes:
        surface: the person's.
        shape: of a window.
        has_eyes: False leaves the eye-attention map at zero.
        keypoints: (68,) vertices of the 68-point view.
    """

    surface: Surface
    shape: WindowShape
    has_eyes: bool
    keypoints: npt.NDArray[np.int64]

    @classmethod
    def of_person(
        cls,
        person: Person,
        model: FaceModel,
        threshold: float,
        *,
        preset: str,
        without: str,
        whole_triangles: bool = False,
    ) -> "WindowMaker":
        """With eye regions by a threshold in mm², see `zoo.graphics.eyes.find_regions`."""
        shape = find_preset(PRESETS, preset).window
        surface = person.make_surface(model, threshold=threshold, whole_triangles=whole_triangles)
        return cls(surface, shape, without != "eyes", model.keypoints)

    def make(
        self,
        camera: CropCamera,
        *,
        expression: npt.ArrayLike,
        pose: npt.ArrayLike,
        au45: npt.ArrayLike,
        device: torch.device | str = "cpu",
        smooth: bool = True,
    ) -> RenderedWindows:
        """The windows of a motion, none of it smoothed: expression and pose are, AU45 stays.

        Args:
            camera: what looks at it.
            expression: (n, 64) standard deviations.
            pose: (n, 6) `face/model_pose`.
            au45: (n,) 0 to 5.
            device: where it is rendered.
            smooth: False leaves expression and pose as they are, too.
        """
        au45 = np.asarray(au45, np.float32)
        return RenderedWindows(
            FaceRenderer(self.surface, camera, device=device),
            expression=smooth_motion(expression) if smooth else np.asarray(expression),
            pose=smooth_motion(pose) if smooth else np.asarray(pose),
            au45=au45 if self.has_eyes else np.zeros_like(au45),
            shape=self.shape,
        )

    def make_of_clip(self, clip: RenderClip) -> RenderedWindows:
        """The windows of a clip's own motion."""
        return self.make(
            clip.camera, expression=clip.expression, pose=clip.model_pose, au45=clip.au45
        )

    def place_regions(self, clip: RenderClip) -> npt.NDArray[np.float32]:
        """Mouth and eyes of a clip's frames as its windows show them, see `place_regions`."""
        return place_regions(
            self.surface,
            clip.camera,
            self.keypoints,
            expression=smooth_motion(clip.expression),
            pose=smooth_motion(clip.model_pose),
        )


def to_pictures(found: Tensor) -> npt.NDArray[np.uint8]:
    """(B, H, H, 3) uint8 of what a generator gives, (B, 3, H, H) −1 to 1.

    Of one with an alpha, (B, 4, H, H) with its logits last, (B, H, H, 4): colours, then the alpha
    of 0 to 255; the colours are not multiplied by it.
    """
    found = found.float()
    levels = (found[:, :3].clamp(-1, 1) + 1) * 127.5
    if found.shape[1] > 3:
        levels = torch.cat([levels, found[:, 3:].sigmoid() * 255], dim=1)
    return levels.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
