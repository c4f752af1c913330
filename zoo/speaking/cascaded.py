"""From a recording and a few pictures of anyone to a video: Das et al. (ECCV 2020).

Speech to canonical landmarks (section 3.1), blinks (3.2), eq. 7 onto the person's face (3.3), and
the texture GAN's drawing (3.4). The head is still, as in the paper; in a video it moves as there.

Legend: n frames of the video.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from toolkit.media.audio import open_sound
from toolkit.media.encode import Sound, find_container, write_video
from toolkit.storage import check_place
from zoo.data.picture_files import Picture
from zoo.landmarks.retarget import retarget
from zoo.landmarks.statistics import EYE_REGION68
from zoo.models.registry import open_model
from zoo.motion.blink_rate import parse_blink_rate
from zoo.motion.speech import predict_scores
from zoo.speaking.canonical import EyeModel, Floats, LipModel, speak
from zoo.speaking.cascaded_options import CascadedSettings
from zoo.speaking.scene import refuse_inputs
from zoo.speaking.sitter import FaceModel, Sitter, open_sitter
from zoo.speaking.synthesize import COMMENT, Watch
from zoo.speaking.video_scene import VideoScene
from zoo.speaking.voice import hear
from zoo.training.distributed import find_device

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CascadedVideo:
    """A video that was written.

    Attributes:
        path: the video.
        num_frames: n.
        fps: frames a second.
        person: who is drawn.
        pictures: of them, that were used.
        finetuned: whether the texture GAN was fine-tuned, to whomever.
    """

    path: Path
    num_frames: int
    fps: int
    person: str
    pictures: int
    finetuned: bool


def synthesize_cascaded(
    settings: CascadedSettings,
    out: Path,
    *,
    watch: Watch = lambda frames, total: iter(frames),
    say: Callable[[str], None] = lambda text: None,
) -> CascadedVideo:
    """Write a video as long as the recording, in whole frames.

    Args:
        settings: what of, and how.
        out: the video.
        watch: sees the frames pass.
        say: gets a line on what is used.

    Raises:
        ToolkitError: no sound, or less than a frame of it; a checkpoint of something else, or
            checkpoints and pictures that do not fit together; no face in the pictures; a background
            that is not there; or `out` is an input or cannot be written.
        ValueError: no video can be written under the name of `out`.
    """
    find_container(out)
    check_place(out)
    inputs = (settings.audio, settings.images, settings.l_gan, settings.blink_gan, settings.t_gan)
    refuse_inputs(out, *(path for path in inputs if path is not None))
    lips, eyes, faces = open_models(settings)
    fps = lips.contract.fps
    with open_sound(settings.audio) as pcm:
        voice = hear(settings.audio, pcm, fps, "the mouth stays closed")
    if settings.images is not None:
        say(f"{settings.images}: looking for faces")
    sitter = open_sitter(faces, settings.images)
    refuse_pictures(settings, faces, sitter)
    say(describe(settings, faces, sitter))
    scores = predict_scores(settings.audio, lips.contract, settings.weights)[: len(voice)]
    blinks = make_blinks(eyes, settings, len(voice), fps)
    scene = None
    if settings.background == "source" and sitter.video is not None and sitter.take is not None:
        scene = VideoScene(sitter.video, sitter.take, sitter.rest, faces.size, fps, len(voice))
    drawn = draw(lips, faces, sitter, scores, voice, blinks, scene)
    shown = (picture for picture, _ in drawn) if scene is None else scene.show(drawn)
    sound = Sound(settings.audio, len(voice) / fps)
    write_video(out, watch(shown, len(voice)), fps=fps, sound=sound, comment=COMMENT)
    return CascadedVideo(
        path=out,
        num_frames=len(voice),
        fps=fps,
        person=sitter.name,
        pictures=sitter.num_pictures,
        finetuned=faces.texture is not None,
    )


def open_models(settings: CascadedSettings) -> tuple[LipModel, EyeModel, FaceModel]:
    """The three of the settings; ToolkitError where they do not fit together."""
    device = find_device(settings.device)
    makes = {"l_gan": "landmarks", "blink_gan": "eyes", "t_gan": "faces"}
    lips, eyes, faces = (
        open_model(getattr(settings, name), device, makes=what, family=name.replace("_", "-"))
        for name, what in makes.items()
    )
    refuse_mixtures(settings, lips, eyes, faces)
    return lips, eyes, faces


def draw(
    lips: LipModel,
    faces: FaceModel,
    sitter: Sitter,
    scores: Any,
    voice: Floats,
    blinks: Floats,
    scene: VideoScene | None = None,
) -> Iterator[tuple[Picture, Points]]:
    """Frames (H, H, 3) of a motion of any length, one at a time, and their landmarks (68, 2) px.

    In a scene the head follows the one there.
    """
    rest, first = lips.statistics.canonical_neutral, 0
    for canonical in speak(lips, scores, voice, blinks):
        if scene is None:
            points = retarget(canonical, rest, sitter.neutral)
        else:
            places = scene.place(first, first + len(canonical))
            pairs = zip(canonical, places, strict=True)
            points = np.stack([retarget(face[None], rest, place)[0] for face, place in pairs])
        first += len(canonical)
        yield from zip(faces.draw(points, sitter.texture), points, strict=True)


def make_blinks(eyes: EyeModel, settings: CascadedSettings, num_frames: int, fps: int) -> Floats:
    """Displacements of the eye region (n, 22, 2); none at all for a rate of 0."""
    rate = parse_blink_rate(settings.blink_rate)
    if rate == 0:
        return np.zeros((num_frames, len(EYE_REGION68), 2), np.float32)
    per_second = None if isinstance(rate, str) else rate / 60
    return eyes.sample(num_frames, fps, settings.seed, per_second)


def refuse_mixtures(
    settings: CascadedSettings, lips: LipModel, eyes: EyeModel, faces: FaceModel
) -> None:
    """ToolkitError where the three know landmarks of several kinds."""
    made = (
        (settings.l_gan, lips.layout, lips.contract.backends.get("landmarks", "")),
        (settings.blink_gan, eyes.layout, eyes.backends.get("landmarks", "")),
        (settings.t_gan, faces.layout, faces.landmarks),
    )
    path, layout, backend = made[0]
    for other, its_layout, its_backend in made[1:]:
        if its_layout != layout:
            raise ToolkitError(
                f"{other}: of {its_layout} landmarks, but {path} is of {layout}: take models that "
                "were trained on landmarks of one kind"
            )
        if its_backend != backend:
            raise ToolkitError(
                f"{other}: landmarks by {its_backend}, but {path} knows those by {backend}: take "
                "models that were trained on shards made in the same way"
            )


def refuse_pictures(settings: CascadedSettings, faces: FaceModel, sitter: Sitter) -> None:
    """ToolkitError for pictures whose landmarks the model does not know, or without a video."""
    if sitter.backend != faces.landmarks:
        raise ToolkitError(
            f"{settings.images}: landmarks by {sitter.backend}, but {faces.path} knows "
            f"those by {faces.landmarks}: train it on shards made with this version"
        )
    if settings.background == "source" and sitter.take is None:
        raise ToolkitError(
            "--background source shows the face in its video: give a video as --images"
        )


def describe(settings: CascadedSettings, faces: FaceModel, sitter: Sitter) -> str:
    """A line on who is drawn, by what."""
    name = sitter.name or "the person"
    pictures = f"{sitter.num_pictures} picture{'s' * (sitter.num_pictures > 1)}"
    if settings.images is None:
        return f"{faces.path}: draws {name}, whom it was fine-tuned to by {pictures}"
    if faces.texture is None:
        return (
            f"{faces.path}: is not fine-tuned: {name} is only shown to it, in {pictures}; "
            "zoo finetune t-gan gives a better likeness"
        )
    return f"{faces.path}: fine-tuned to {faces.identity}; draws {name} of {pictures}"
