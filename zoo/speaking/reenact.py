"""Self-reenactment: a clip drawn anew from its own motion, or from motion made of its own sound.

Legend: n frames of the clip, S side of its stored frames.
"""

import itertools
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np

from toolkit.dataset.find import find_clip
from toolkit.dataset.shard import ShardReader
from toolkit.media.encode import find_container, write_video
from toolkit.storage import check_place, guard_storage, write_whole
from zoo.data import load_clips
from zoo.data.contract import make_contract
from zoo.data.frames import Picture, RenderClip, Stretches, load_render_clips
from zoo.data.source import find_dataset
from zoo.metrics.pictures import measure_psnr, measure_ssim
from zoo.models.registry import open_model
from zoo.motion.blink_rate import PERSON, parse_blink_rate
from zoo.motion.model import MotionModel
from zoo.speaking.movement import Movement, move_by, move_clip
from zoo.speaking.options import ReenactmentSettings
from zoo.speaking.plate import show_crops
from zoo.speaking.renderer import Renderer, choose_background
from zoo.speaking.scene import Scene, locate_source, refuse_inputs
from zoo.speaking.synthesize import COMMENT, Watch, check_renderer, generate_at, show_movement
from zoo.training.distributed import find_device

FULL_ERROR = 64
"""Levels of difference, mean over the channels, that have the error map's last colour."""


@dataclass(frozen=True)
class Figures:
    """Means over some frames.

    Attributes:
        num_frames: so many.
        psnr: dB; None where a drawn frame equals the stored one.
        ssim: −1 to 1.
    """

    num_frames: int
    psnr: float | None
    ssim: float


@dataclass(frozen=True, kw_only=True)
class Reenactment:
    """What was made, beside the stored frames.

    Attributes:
        path, error_map: the videos.
        fps: frames a second.
        perceptual: network that judged the renderer's training.
        whole: over the whole clip, whatever its frames were to the renderer.
        held_out: over the frames that it was chosen by and never trained on; None: there are none.
        trained_on: over those that it was trained on; None: there are none.
    """

    path: Path
    error_map: Path
    fps: int
    perceptual: str
    whole: Figures
    held_out: Figures | None
    trained_on: Figures | None


def reenact(
    clip_id: str,
    settings: ReenactmentSettings,
    out: Path,
    *,
    watch: Watch = lambda frames, total: iter(frames),
) -> Reenactment:
    """Write a clip's video, and beside it the map of its errors, `<name>-error` in the same format.

    Args:
        clip_id: or the beginning of it that no other clip has.
        settings: what draws, and what moves.
        out: the video.
        watch: see `Watch`.

    Raises:
        ToolkitError: no such clip, models and clip do not fit together, or `out` is its source or
            cannot be written.
        ValueError: no video can be written under the name of `out`.
    """
    container = find_container(out)
    error_map = out.with_name(f"{out.stem}-error{out.suffix}")
    check_place(out)
    check_place(error_map)
    device = find_device(settings.device)
    clip = find_render_clip(settings.shards, clip_id)
    refuse_inputs(out, locate_source(clip, settings.shards))
    refuse_inputs(error_map, locate_source(clip, settings.shards))
    renderer: Renderer = open_model(settings.renderer, device, makes="frames")
    background = choose_background(renderer, settings.background)
    check_renderer(renderer, clip)
    model: MotionModel | None = (
        open_model(settings.motion_model, device, makes="motion") if settings.motion_model else None
    )
    scene = Scene(clip, settings.shards, background)
    blink_rate = parse_blink_rate(settings.blink_rate)
    movement = (
        move_clip(clip)
        if model is None
        else hear_clip(renderer, model, clip, settings.shards, blink_rate)
    )
    movement = replace(movement, limit=not settings.no_pose_limit)
    with tempfile.TemporaryFile(prefix="zoo-") as file:
        judge = _Judge(clip, file)
        shown = show_movement(scene, renderer, clip, movement, judge.look_at)
        shown = watch(shown, clip.num_frames)
        pcm = clip.reader.read("audio/pcm", clip.index).astype(np.int16, copy=False)
        with write_whole(out) as video, write_whole(error_map) as errors:  # both or neither
            known: dict[str, Any] = {"fps": clip.fps, "comment": COMMENT, "container": container}
            write_video(video, shown, pcm=pcm, **known)
            write_video(errors, judge.draw_errors(), **known)
    return Reenactment(
        path=out,
        error_map=error_map,
        fps=clip.fps,
        perceptual=renderer.perceptual,
        whole=judge.sum_up(0, clip.num_frames),
        held_out=judge.sum_part(renderer.held_out),
        trained_on=judge.sum_part(renderer.trained_on),
    )


def find_render_clip(shards: Path, clip_id: str) -> RenderClip:
    """A clip by its id, or by the beginning of it; ToolkitError where there is none."""
    name, shard, index = find_clip(find_dataset(shards), clip_id)
    identity = ShardReader(shard).clips[index].identity
    (clip,) = load_render_clips(shards, identity=identity, clip_id=name)
    return clip


def draw_clip(renderer: Renderer, clip: RenderClip) -> Iterator[Picture]:
    """Crops (S, S, 3) from the clip's own motion."""
    return show_crops(clip, move_clip(clip).draw(renderer, clip.camera))


def speak_clip(
    renderer: Renderer,
    model: MotionModel,
    clip: RenderClip,
    shards: Path,
    blink_rate: float | str = PERSON,
) -> Iterator[Picture]:
    """Crops (S, S, 3) of `hear_clip`."""
    movement = hear_clip(renderer, model, clip, shards, blink_rate)
    return show_crops(clip, movement.draw(renderer, clip.camera))


def hear_clip(
    renderer: Renderer,
    model: MotionModel,
    clip: RenderClip,
    shards: Path,
    blink_rate: float | str = PERSON,
) -> Movement:
    """Movement made of the clip's own sound, as it is stored; of a part, of the part's sound."""
    found = load_clips(
        shards,
        split=None,
        where=f"clip_id == {clip.id!r}",
        min_frames=1,
        speech_features=model.contract.speech_features,
    )
    model.contract.refuse_others(make_contract(found), str(clip.reader.path))
    audio = found.clips[0].audio[clip.first : clip.first + clip.num_frames]
    return move_by(renderer, generate_at(model, audio, clip, blink_rate))


class _Judge:
    """Compares drawn frames with the stored ones as they go by, and keeps their errors."""

    def __init__(self, clip: RenderClip, file: IO[bytes]) -> None:
        self._clip, self._file = clip, file
        self._psnr, self._ssim = list[float](), list[float]()

    def sum_up(self, first: int, last: int) -> Figures:
        """Over frames [first, last) of those that were looked at."""
        psnr = float(np.mean(self._psnr[first:last]))
        ssim = float(np.mean(self._ssim[first:last]))
        return Figures(last - first, psnr if math.isfinite(psnr) else None, ssim)

    def sum_part(self, part: Stretches) -> Figures | None:
        """Over the frames of the clip that are in a part of the training data."""
        return self.sum_up(*part[self._clip.id]) if self._clip.id in part else None

    def look_at(self, drawn: Iterator[Picture]) -> Iterator[Picture]:
        """Hands drawn frames on; those with an alpha are compared as crops."""
        drawn, seen = itertools.tee(drawn)  # neither runs ahead
        for t, (frame, picture) in enumerate(zip(drawn, show_crops(self._clip, seen), strict=True)):
            real = self._clip.read_frame(t)
            error = cv2.absdiff(picture, real).mean(axis=2)
            with guard_storage(Path(tempfile.gettempdir())):
                self._file.write(np.rint(error).astype(np.uint8).tobytes())
            self._psnr.append(measure_psnr(picture, real))
            self._ssim.append(measure_ssim(picture, real))
            yield frame

    def draw_errors(self) -> Iterator[Picture]:
        """The errors in colours, black for none."""
        size = self._clip.camera.size
        self._file.seek(0)
        for _ in self._psnr:
            error = np.frombuffer(self._file.read(size * size), np.uint8).reshape(size, size)
            levels = np.minimum(error.astype(np.int32) * 255 // FULL_ERROR, 255).astype(np.uint8)
            colors = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
            yield np.ascontiguousarray(colors[..., ::-1], np.uint8)
