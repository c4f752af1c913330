"""What a stage learnt, opened: a picture that moves as a video or a sound says.

Legend: n frames, H the side of a picture, F channels of what is moved, L vectors of w+.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from toolkit.errors import ToolkitError
from zoo.landmarks.ffhq import align_ffhq
from zoo.models.styleheat import FAMILIES
from zoo.models.styleheat.calibration import Calibration, create_calibration
from zoo.models.styleheat.canvas import (
    Canvas,
    Draw,
    Moved,
    PriorCanvas,
    Source,
    calibrate,
    find_prior,
    move_by_audio,
    move_by_video,
    open_canvas,
)
from zoo.models.styleheat.clips import Picture
from zoo.models.styleheat.coefficients import (
    Reference,
    choose_reference,
    iterate_windows,
    keep_expression,
    make_coefficients,
)
from zoo.models.styleheat.motion import (
    AudioMotion,
    VideoMotion,
    create_audio_motion,
    create_video_motion,
)
from zoo.models.styleheat.stage import load_network, read_record, read_stage
from zoo.stylegan.layers import place_network
from zoo.training.checkpoint import load_checkpoint
from zoo.training.pictures import to_pictures, to_tensor

Floats = npt.NDArray[np.float32]

_BLOCK = 8
"""Frames that are computed at once."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedStyleHEAT:
    """Networks of one or several stages, ready to draw.

    Attributes:
        path: of the checkpoint.
        preset: `small` or `paper`.
        size: H.
        backends: what measured the landmarks and coefficients that it knows.
        trained_on: whose pictures it learnt from.
        prior: digest of the prior's file; "" without one.
        canvas: what is moved.
        video: by coefficients.
        audio: by sound, or None.
        calibration: mends what was moved, or None.
        device: where it draws.
    """

    path: Path
    preset: str
    size: int
    backends: dict[str, str]
    trained_on: tuple[str, ...]
    prior: str
    canvas: Canvas
    video: VideoMotion
    audio: AudioMotion | None
    calibration: Calibration | None
    device: torch.device

    def enter(
        self,
        picture: Picture,
        change: Callable[[Tensor], Tensor] | None = None,
        *,
        optimise: int = 0,
    ) -> Source:
        """A source picture (·, ·, 3) uint8 RGB, aligned by FFHQ's rule.

        Args:
            picture: of any size; to optimise, of side H.
            change: of w+ (1, L, 512), which then holds for all frames; what w+ leaves out of the
                picture stays as it was.
            optimise: steps by which F is made better.

        Raises:
            ToolkitError: a change or steps, and no prior whose w+ or F these could change.
            ValueError: both.
        """
        pictures = to_tensor(np.ascontiguousarray(picture)[None]).to(self.device)
        if change is None and not optimise:
            return self.canvas.enter(pictures)
        if not isinstance(self.canvas, PriorCanvas):
            raise ToolkitError(f"{self.path}: trained without a prior, whose w+ or F could change")
        if change is not None and optimise:
            raise ValueError("F is optimised for a picture as it is, not for an edited one")
        if optimise:
            return self.canvas.optimise(pictures, optimise)
        return self.canvas.change(pictures, change)

    def draw(
        self, source: Source, windows: Iterable[Floats] | None, mel: Iterable[Floats] | None
    ) -> Iterator[Picture]:
        """Frames (H, H, 3) uint8 RGB, in order; memory does not grow with them.

        By both, the windows give the head's pose and the sound the lips: the windows are then those
        with the source's expression, see `keep_expression`.

        Args:
            source: of one picture.
            windows: of each frame (27, 73); None: the head stays as it is.
            mel: of each frame (32, 80); None: without sound.

        Raises:
            ValueError: neither is given, or one ends before the other.
            ToolkitError: sound, and no network that was trained by it.
        """
        if mel is not None and self.audio is None:
            raise ToolkitError(
                f"{self.path}: has no network that sound drives: give the checkpoint of "
                "styleheat-calibration --with audio"
            )
        if windows is None and mel is None:
            raise ValueError("give windows of coefficients, or of sound")
        streams = [x if x is not None else itertools.repeat(None) for x in (windows, mel)]
        both = windows is not None and mel is not None
        pairs = zip(*streams, strict=both)
        draw = self.canvas.prepare(source)
        while block := list(itertools.islice(pairs, _BLOCK)):
            coefficients, sound = (
                None if part[0] is None else torch.from_numpy(np.stack(part)).to(self.device)
                for part in zip(*block, strict=True)
            )
            yield from to_pictures(self._draw_block(draw, source, coefficients, sound))

    def relate(
        self,
        expression: npt.ArrayLike,
        pose: npt.ArrayLike,
        points: npt.ArrayLike,
        source: npt.ArrayLike,
        *,
        lips: bool = True,
    ) -> Floats:
        """Coefficients (n, 73) of a video that drives, relative to where it looks as the source.

        Args:
            expression: (n, 64).
            pose: (n, 6) of the face model, rad and mm.
            points: (n, 68, 2) px of the video's picture.
            source: (68, 2) of the source's aligned picture, of side 1.
            lips: False: expression as in the frame of reference throughout, for sound to move.
        """
        still = choose_reference(points, source)
        expression, pose, points = (np.asarray(x, np.float64) for x in (expression, pose, points))
        align = align_ffhq(points[still])
        placed = align.apply(points)
        reference = Reference(expression[still], pose[still], placed[still])
        rows = make_coefficients(expression, pose, placed, reference)
        return rows if lips else keep_expression(rows)

    def cut_windows(self, rows: Floats) -> Iterator[Floats]:
        """Windows (27, 73) about each of rows (n, 73), for `draw`."""
        return iterate_windows(rows)

    @torch.inference_mode()
    def _draw_block(
        self, draw: Draw, source: Source, windows: Tensor | None, mel: Tensor | None
    ) -> Tensor:
        """The same of windows (b, 27, 73) and sound (b, 32, 80): (b, 3, H, H), −1 to 1."""
        given = windows if windows is not None else mel
        assert given is not None
        posed = source.repeat(len(given))
        drawn = posed.shown
        moved: Moved | None = None
        if windows is not None:
            moved = move_by_video(self.video, posed, windows)
            posed = moved.source
        if mel is not None:
            assert self.audio is not None
            if windows is not None:
                drawn = draw(posed)
            moved = move_by_audio(self.audio, posed, drawn, mel)
        assert moved is not None
        if self.calibration is None:
            return draw(moved.source)
        return draw(calibrate(self.calibration, moved))


def open_styleheat(
    path: Path, device: torch.device | str = "cpu", *, prior: Path | None = None
) -> TrainedStyleHEAT:
    """The networks of a stage's checkpoint, ready to draw.

    Args:
        path: of any stage: without calibration where it is of stage 1.
        device: where they are to run.
        prior: where the prior lies now; None: where it lay in training.

    Raises:
        ToolkitError: no such checkpoint, one of something else or of another version, or no prior.
    """
    kinds = {family.name for family in FAMILIES}
    kind = str(load_checkpoint(path).get("kind"))
    if kind not in kinds:
        raise ToolkitError(f"{path}: a checkpoint of {kind}, not of {' or '.join(sorted(kinds))}")
    content = read_stage(path, kind, None, ["video"])
    placed, preset = torch.device(device), str(content["preset"])
    where, record = find_prior(prior, read_record(content), path)
    canvas = open_canvas(where, int(content["size"]), placed)
    made: dict[str, Any] = {"video": create_video_motion(preset), "audio": None}
    if "audio" in content["networks"]:
        made["audio"] = create_audio_motion(preset, mapping=content["mapping"])
    made["calibration"] = None
    if "calibration" in content["networks"]:
        made["calibration"] = create_calibration(preset, features=canvas.features)
    for name, network in made.items():
        if network is not None:
            load_network(network, content, name, path)
            place_network(network.requires_grad_(False).eval(), placed)
    return TrainedStyleHEAT(
        path=path,
        preset=preset,
        size=canvas.size,
        backends=content["backends"],
        trained_on=tuple(content["trained_on"]),
        prior=record.sha256,
        canvas=canvas,
        device=placed,
        **made,
    )
