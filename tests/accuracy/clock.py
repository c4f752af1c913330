"""The frame-count law over real clips: every array as long as the clock says, every frame right."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tests.accuracy.real import RealClip, read_times
from toolkit.clock import count_samples, show_frames
from toolkit.schema import ARRAYS


def check_frame_counts(clips: Iterable[RealClip]) -> dict[str, Any]:
    """Count clips, arrays and frames, and what breaks the law; there should be nothing."""
    num_clips = num_arrays = num_frames = wrong_arrays = wrong_frames = wrong_audio = 0
    for clip in clips:
        entry = clip.reader.clips[clip.index]
        num_clips += 1
        num_frames += entry.num_frames
        names = [name for name in clip.reader.names if ARRAYS[name].axis == "N"]
        num_arrays += len(names)
        wrong_arrays += sum(len(clip.read(name)) != entry.num_frames for name in names)
        expected = count_samples(entry.start_frame, entry.num_frames, clip.fps)
        wrong_audio += len(clip.read("audio/pcm")) != expected
        times = read_times(clip.path)
        shown = show_frames(
            times, entry.start_frame, entry.start_frame + entry.num_frames, clip.fps
        )
        stored = np.asarray(clip.read("video/source_time"), float)
        wrong_frames += int((np.abs(stored - times[shown]) > 1e-3).sum())
    return {
        "clips": num_clips,
        "frame arrays": num_arrays,
        "frames": num_frames,
        "arrays of another length": wrong_arrays,
        "clips with other audio": wrong_audio,
        "frames of another time": wrong_frames,
    }
