"""A trained renderer as a checkpoint holds it, ready to draw.

Legend: n frames of a motion, H the side of a picture.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from toolkit.errors import ToolkitError
from zoo.data.crop_camera import CropCamera
from zoo.data.frames import FEATURES, Picture, RenderClip, Stretches, require_whole
from zoo.graphics.render import FaceRenderer
from zoo.models.renderer import FAMILY
from zoo.models.renderer.drawing import draw_stretches
from zoo.models.renderer.inputs import ELLIPSES, WindowMaker, find_face_model, to_pictures
from zoo.models.renderer.networks import SmallGenerator, create_generator, place_network
from zoo.models.renderer.person import Person
from zoo.motion.pose_map import PoseMap, smooth_motion
from zoo.motion.pose_range import PoseRange
from zoo.training.checkpoint import load_checkpoint

BLOCK = 32
"""Frames that are rendered at once where the rendered face alone is drawn."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedRenderer:
    """What a run of `zoo train renderer` learnt.

    Attributes:
        path: of the checkpoint.
        person: whom it draws.
        size: H.
        fps: frames a second it was trained at.
        preset: `paper`, `small` or `official`.
        perceptual: network that judged it: `face`, `vgg19` or `random`.
        trained_on: which frames of which clips it learnt from.
        held_out: which it was chosen by and never learnt from.
        has_alpha: it draws a head with an alpha, and not a whole square.
        whole_frames: it draws whole frames of the video, background and all.
        generator: on its device.
        maker: of what it sees.
        device: where it draws.
    """

    path: Path
    person: Person
    size: int
    fps: int
    preset: str
    perceptual: str
    trained_on: Stretches
    held_out: Stretches
    generator: torch.nn.Module
    maker: WindowMaker
    device: torch.device
    has_alpha: bool = False
    whole_frames: bool = False

    @property
    def identity(self) -> str:
        """Whom it draws."""
        return self.person.identity

    @property
    def pose_map(self) -> PoseMap:
        """From `face/pose` to the pose that is drawn."""
        return self.person.pose_map

    @property
    def pose_range(self) -> PoseRange | None:
        """Between which turns of the head it learnt; None of those of before."""
        return self.person.pose_range

    def check_clip(self, clip: RenderClip) -> None:
        """Refuse a clip of another frame size, frame rate, face model or origin, or of crops.

        Raises:
            ToolkitError: says which and what to do.
        """
        backends = [self.person.backends[feature] for feature in FEATURES]
        known = (self.size, self.fps, *backends)
        for (what, given), expected in zip(clip.kind.items(), known, strict=True):
            if given != expected:
                raise ToolkitError(
                    f"clip {clip.id}: {what} {given}, but {self.path} was trained with {expected}: "
                    "take shards made in the same way, or train a renderer on these"
                )
        if self.whole_frames:
            require_whole([clip])

    def draw(
        self,
        camera: CropCamera,
        *,
        expression: npt.ArrayLike,
        pose: npt.ArrayLike,
        au45: npt.ArrayLike,
        smooth: bool = True,
    ) -> Iterator[Picture]:
        """Frames of a motion of any length, in order: (H, H, 3) uint8 RGB each.

        With an alpha (H, H, 4): the alpha, 0 to 255, comes last.

        Args:
            camera: of the crop that is drawn, of H px.
            expression: (n, 64) standard deviations, not smoothed.
            pose: (n, 6) `face/model_pose`, not smoothed.
            au45: (n,) 0 to 5.
            smooth: expression and pose, as in training.

        Raises:
            ToolkitError: a camera of another size.
        """
        self._check_camera(camera)
        windows = self.maker.make(
            camera,
            expression=expression,
            pose=pose,
            au45=au45,
            device=self.device,
            smooth=smooth,
        )
        if self.device.type == "cpu" and isinstance(self.generator, SmallGenerator):
            yield from draw_stretches(self.generator, windows)
            return
        for window in windows:  # on a CPU core a batch takes as long as its frames one by one
            seen = window[None].contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                found = self.generator(seen)
            yield to_pictures(found)[0]

    def rendered(
        self,
        camera: CropCamera,
        *,
        expression: npt.ArrayLike,
        pose: npt.ArrayLike,
        au45: npt.ArrayLike,
    ) -> Iterator[Picture]:
        """What `draw` draws from, without the blink's channel: for looking; arguments as there."""
        self._check_camera(camera)
        renderer = FaceRenderer(self.maker.surface, camera, device=self.device)
        expression, pose = smooth_motion(expression), smooth_motion(pose)
        for first in range(0, len(pose), BLOCK):
            rows = slice(first, first + BLOCK)
            yield from renderer.render(expression[rows], pose[rows])[..., :3].cpu().numpy()

    def _check_camera(self, camera: CropCamera) -> None:
        if camera.size != self.size:
            raise ToolkitError(
                f"{self.path}: draws frames of {self.size} px, not {camera.size}: train a renderer "
                "on shards of that --frame-size"
            )


def _read_stretches(content: dict[str, Any], name: str) -> Stretches:
    """Nothing of a checkpoint that does not say."""
    return {clip: (first, last) for clip, (first, last) in content.get(name, {}).items()}


def open_renderer(path: Path, device: torch.device) -> TrainedRenderer:
    """The generator of a checkpoint, ready to draw.

    Raises:
        ToolkitError: no such checkpoint, one of something else, of several people, of another face
            model or of another version of the networks.
    """
    content: dict[str, Any] = load_checkpoint(path, FAMILY.name)["model"]
    if names := [person["identity"] for person in content.get("people", ())]:
        raise ToolkitError(
            f"{path}: learnt from {len(names)} people and draws none of them: begin with it: "
            f"zoo train renderer --base {shlex.quote(str(path))}"
        )
    person = Person.from_state(content["person"])
    model = find_face_model(person.backends["coefficients"])
    known = content["face_model"]
    if (model.name, model.sha256) != (known["name"], known["sha256"]):
        raise ToolkitError(
            f"{path}: trained with face model {known['name']} {known['sha256']}, not with "
            f"{model.name} {model.sha256}: train a renderer with this one"
        )
    has_alpha = bool(content.get("alpha", False))  # those of before draw squares
    generator = create_generator(content["preset"], content["size"], alpha=has_alpha)
    try:
        generator.load_state_dict(content["generator"])
    except RuntimeError as error:
        raise ToolkitError(
            f"{path}: its weights do not fit the {content['preset']} generator of this version: "
            "train a renderer with it"
        ) from error
    return TrainedRenderer(
        path=path,
        person=person,
        size=int(content["size"]),
        fps=int(content["fps"]),
        preset=str(content["preset"]),
        perceptual=str(content["perceptual"]["name"]),
        trained_on=_read_stretches(content, "trained_on"),
        held_out=_read_stretches(content, "held_out"),
        generator=place_network(generator.eval(), device),
        maker=WindowMaker.of_person(
            person,
            model.model,
            float(content["threshold"]),
            preset=content["preset"],
            without=content["without"],
            whole_triangles=content.get("eyes") != ELLIPSES,
        ),
        device=torch.device(device),
        has_alpha=has_alpha,
        whole_frames=bool(content.get("whole_frames", False)),
    )
