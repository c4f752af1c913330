"""Talking-head videos whose truth is known, made from one public-domain portrait.

Every identity is a variant of the portrait with its own voice. A clip's head turns as drawn at
random, its lids blink, its mouth follows the loudness of its speech. `truth.json` beside the
videos says what was drawn: see its `notes`.
"""

import concurrent.futures
import functools
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE, frame_to_sample
from toolkit.media.encode import write_video
from toolkit.mesh import IRIS_MM
from toolkit.sample import motion, speech
from toolkit.sample.head import Head
from toolkit.sample.options import SampleOptions
from toolkit.sample.portrait import Picture, Portrait, load_portraits, make_identity
from toolkit.storage import write_whole

TRUTH = "truth.json"

_TRUTH_NOTES = {
    "pose": "per frame pitch, yaw, roll (rad), tx, ty, tz (mm); camera x right, y down, z forward; "
    "R = Rx·Ry·Rz; origin: centroid of the mesh's 68-point view at rest; no rotation: symmetry "
    "plane upright and through the camera's axis, vertices 10 and 152 equally far",
    "scale": f"mm such that the iris is {IRIS_MM} mm wide in the portrait",
    "intrinsics": "fx, fy, cx, cy, px",
    "closure": "per frame, both lids: 0 open as in the portrait, 1 closed",
    "blinks": "onset, apex, offset: frames from the clip's start, ends inclusive, closure >= 0.5",
    "long_closures": "as blinks, 0.9 to 1.6 s: not blinks",
    "lowered": "as blinks at closure >= 0.2: lids lowered to 0.4 while looking down, not blinks",
    "opening": "per frame: 0 lips touch, 1 inner lips `widest_mm` apart",
    "claps": "frames on whose first instant a click sounds and the mouth is open at once",
    "audio_video_offset": "s by which the picture is late",
}


@dataclass(frozen=True, kw_only=True)
class Script:
    """What one video shows and says, n frames.

    Attributes:
        pose: (n, 6) pitch, yaw, roll in rad; tx, ty, tz in mm.
        lids: closure and what it is made of.
        opening: (n,) of the mouth, 0 to 1.
        pcm: samples of n frames, int16 at 16 kHz.
        transcript: what is said; "" without speech.
        claps: frames of the clicks.
    """

    pose: npt.NDArray[np.float64]
    lids: motion.Lids
    opening: npt.NDArray[np.float64]
    pcm: npt.NDArray[np.int16]
    transcript: str
    claps: tuple[int, ...]


def make_samples(
    folder: Path,
    options: SampleOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write `folder`/<identity>/<clip>.mp4 and `folder`/truth.json; returns the latter's path.

    `progress` is called with the videos done and to do after each.

    Raises:
        SetupError: scikit-image, espeakng-loader or ffmpeg is missing.
        ToolkitError: ffmpeg could not write a video.
        StorageError: the disk refuses.
    """
    options = options or SampleOptions()
    total = options.identities * options.clips
    videos = dict[str, dict[str, Any]]()
    for name, truth in render_samples(folder, options):
        videos[name] = truth
        if progress is not None:
            progress(len(videos), total)
    described = {"notes": _TRUTH_NOTES, "videos": dict(sorted(videos.items()))}
    path = folder / TRUTH
    with write_whole(path) as temporary:
        temporary.write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
    return path


def render_samples(folder: Path, options: SampleOptions) -> Iterator[tuple[str, dict[str, Any]]]:
    """Write the videos; yields each one's path from the folder and its truth, as it is done."""
    clips = [(i, c) for i in range(options.identities) for c in range(options.clips)]
    workers = min(options.workers or len(os.sched_getaffinity(0)), len(clips))
    if workers == 1:
        for identity, clip in clips:
            yield _write_clip(folder, identity, clip, options)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        running = [
            pool.submit(_write_clip, folder, identity, clip, options) for identity, clip in clips
        ]
        try:
            for done in concurrent.futures.as_completed(running):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)


@functools.lru_cache(maxsize=2)
def make_head(identity: int, seed: int, size: int) -> Head:
    """The head of one person; the last two are kept."""
    return Head(make_identity(_load_portraits_once(), identity, seed, size))


@functools.cache
def _load_portraits_once() -> tuple[Portrait, Portrait]:
    return load_portraits()


def write_script(head: Head, identity: int, clip: int, options: SampleOptions) -> Script:
    """Draw everything that happens in one video."""
    rng = np.random.default_rng([options.seed, identity, clip, 3])
    num_frames = round(options.seconds * options.fps)
    turns, shifts = motion.draw_turns(rng, num_frames, options.fps)
    lids = motion.draw_lids(rng, num_frames, options.fps)
    turns = motion.look_down(turns, lids)
    claps = list[int]()
    if options.clap:
        transcript = ""
        opening, pcm, claps = motion.draw_claps(rng, num_frames, options.fps)
    else:
        voice = speech.draw_voice(identity, options.seed)
        num_samples = frame_to_sample(num_frames, options.fps)
        pcm, transcript = speech.speak(voice, rng, num_samples)
        opening = motion.follow_speech(pcm, num_frames, options.fps)
    pose = np.stack([head.swing(turn, shift) for turn, shift in zip(turns, shifts, strict=True)])
    return Script(
        pose=pose, lids=lids, opening=opening, pcm=pcm, transcript=transcript, claps=tuple(claps)
    )


def draw_frames(head: Head, script: Script) -> Iterator[Picture]:
    """The video's pictures (size, size, 3) uint8 RGB."""
    for pose, closure, opening in zip(
        script.pose, script.lids.closure, script.opening, strict=True
    ):
        yield head.draw(pose, float(closure), float(opening))


def _write_clip(
    folder: Path, identity: int, clip: int, options: SampleOptions
) -> tuple[str, dict[str, Any]]:
    head = make_head(identity, options.seed, options.size)
    script = write_script(head, identity, clip, options)
    name = f"person{identity:02d}/clip{clip:02d}.mp4"
    frames = draw_frames(head, script)
    write_video(folder / name, frames, fps=options.fps, pcm=script.pcm, sample_rate=SAMPLE_RATE)
    return name, describe_truth(head, script, identity, options)


def describe_truth(
    head: Head, script: Script, identity: int, options: SampleOptions
) -> dict[str, Any]:
    """One video's entry in truth.json; what its parts mean stands there under `notes`."""
    lids = script.lids
    half = options.size / 2
    return {
        "identity": f"person{identity:02d}",
        "seed": options.seed,
        "fps": options.fps,
        "frames": len(script.pose),
        "transcript": script.transcript,
        "audio_video_offset": 0.0,
        "claps": list(script.claps),
        "intrinsics": [head.focal, head.focal, half, half],
        "widest_mm": round(head.widest_mm, 3),
        "blinks": [asdict(blink) for blink in lids.blinks],
        "long_closures": [asdict(blink) for blink in lids.long_closures],
        "lowered": [asdict(blink) for blink in lids.lowered],
        "pose": script.pose.round(5).tolist(),
        "closure": lids.closure.round(4).tolist(),
        "opening": script.opening.round(4).tolist(),
    }
