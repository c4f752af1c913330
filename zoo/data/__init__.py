"""From shards to training batches of audio and motion, in the units that networks see."""

from zoo.data.batches import MotionBatch, MotionBatches, MotionWindows
from zoo.data.clips import ClipSet, MotionClip, find_clip, load_clips
from zoo.data.holdout import Holdout
from zoo.data.layout import (
    AU45,
    CONTEXT,
    EXPRESSION,
    MIN_FRAMES,
    MOTION_LAYOUT,
    MOTION_SIZE,
    POSE,
    WINDOW,
)
from zoo.data.normalise import Normalisation, pad_audio
from zoo.data.source import describe_backend

__all__ = [
    "AU45",
    "CONTEXT",
    "EXPRESSION",
    "MIN_FRAMES",
    "MOTION_LAYOUT",
    "MOTION_SIZE",
    "POSE",
    "WINDOW",
    "ClipSet",
    "Holdout",
    "MotionBatch",
    "MotionBatches",
    "MotionClip",
    "MotionWindows",
    "Normalisation",
    "describe_backend",
    "find_clip",
    "load_clips",
    "pad_audio",
]
