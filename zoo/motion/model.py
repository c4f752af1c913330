"""A trained speech-to-motion model, ready to make motion."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from toolkit.errors import ToolkitError
from zoo.data import AU45, POSE, WINDOW, MotionClip, Normalisation
from zoo.data.contract import Contract
from zoo.motion.blink_rate import PERSON
from zoo.motion.blinks import move_lids
from zoo.motion.generate import Motion, begin_with, clip_au45, generate_motion
from zoo.motion.head_map import HeadMap
from zoo.motion.lids import LidMap


@dataclass(frozen=True, eq=False)
class MotionModel:
    """A generator of motion with what its checkpoint says of it.

    Attributes:
        path: of the checkpoint.
        network: the generator, on its device.
        normalisation: it was trained with.
        contract: what it can be fed with.
        lids: how its AU45 becomes that of the person it was fine-tuned to; None of a base model.
        head: how its head becomes that person's, likewise.
        window: T that it was trained on.
    """

    path: Path
    network: torch.nn.Module
    normalisation: Normalisation
    contract: Contract
    lids: LidMap | None = None
    head: HeadMap | None = None
    window: int = WINDOW

    def find_identity(self, name: str | None) -> str:
        """An identity whose rest pose is known: `name`, or the only one there is.

        Raises:
            ToolkitError: there is no such identity, or none is named and there are several.
        """
        known = sorted(self.normalisation.pose_means)
        if name in known:
            return str(name)
        if name is None and len(known) == 1:
            return known[0]
        asked = f"does not know {name!r}" if name else "knows several identities"
        raise ToolkitError(f"{self.path}: {asked}: name one with --identity: {', '.join(known)}")

    def generate(
        self,
        audio: npt.ArrayLike,
        *,
        identity: str | None = None,
        initial: MotionClip | None = None,
        smooth: bool = False,
        fade: bool = True,
        blink_rate: float | str = PERSON,
        map_head: bool = True,
    ) -> Motion:
        """Motion (n, 71) in stored units for speech features (n, A) of the contract's kind.

        Of any length.

        One function for every command, so that all make the same motion of the same sound.

        Args:
            audio: as shards store it.
            identity: about whose mean pose the head moves; may be left out where there is one.
            initial: begin with the first frame of this clip, and move about its mean pose.
            smooth: without the fastest trembling; see `smooth_motion`.
            fade: see `generate_motion`.
            blink_rate: see `parse_blink_rate`.
            map_head: move the head as far and as fast as the person's, where that is known.
        """
        known = self.normalisation
        name = self.find_identity(identity) if initial is None else initial.identity
        if initial is None:
            mean, deviation, state = known.pose_means[name], known.pose_deviations[name], None
        else:
            pose = initial.motion[:, POSE]
            mean, deviation = pose.mean(axis=0), np.maximum(pose.std(axis=0), 1e-4)
            state = known.normalise_motion(initial)[0]
        motion = generate_motion(
            self.network,
            known,
            audio,
            pose_mean=mean,
            pose_deviation=None if known.kind == "split" else deviation,
            state=state,
            smooth=smooth,
            fade=fade,
            window=self.window,
        )
        if map_head and self.head is not None and self.head.identity == name:
            motion[:, POSE] = self.head.apply(motion[:, POSE], mean)
        lids = self.lids if self.lids is not None and self.lids.identity == name else None
        motion[:, AU45.start] = move_lids(
            motion[:, AU45.start], self.contract.fps, lids=lids, rate=blink_rate
        )
        if initial is None or not fade:
            return motion
        return clip_au45(begin_with(motion, initial.motion[0]))
