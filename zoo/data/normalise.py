"""Between stored units and what networks see; goes into every checkpoint.

n frames of a clip.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from toolkit.mesh import MAX_AU45
from toolkit.schema import DEEPSPEECH_SYMBOLS
from zoo.data.clips import Audio, MotionClip
from zoo.data.layout import AU45, CONTEXT, EXPRESSION, POSE

Floats = npt.NDArray[np.float32]

KINDS = ("split", "clip")

EVEN_ODDS = {"log_prob": -math.log(len(DEEPSPEECH_SYMBOLS)), "logit": 0.0}
"""Score of each symbol, by scale, where all are as likely."""

_FLOOR = 1e-4
"""Least deviation that is divided by: a constant column stays near zero."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Normalisation:
    """Statistics of the training clips.

    Of kind `split`: audio per number; pose minus its clip's mean, over the deviation within clips
    of the whole split, so that where a head is does not drown how it moves; expression over one
    scale, so that its components keep their weight; AU45 as stored, so that ω3 of the paper weighs
    its units.
    Of kind `clip`, as in the code that the FACIAL authors released: pose less its clip's mean over
    its clip's deviation, everything else as stored. That code takes logits and pads them with
    zeros, which are even odds of all symbols; of log-probabilities those of even odds, −ln 29, are
    taken off, so that zeros say the same.

    Attributes:
        kind: `split` or `clip`.
        audio_mean, audio_scale: (A,) float32, A numbers a frame: 29, or 384 of Whisper.
        pose_scale: (6,) float32, rad and mm.
        expression_scale: in standard deviations.
        au45_scale: 1; 5 in checkpoints of kind `split` that do not name it.
        pose_means: identity -> (6,) mean pose, rad and mm.
        pose_deviations: identity -> (6,) deviation within its clips.
    """

    kind: str
    audio_mean: Floats
    audio_scale: Floats
    pose_scale: Floats
    expression_scale: float
    au45_scale: float = 1.0
    pose_means: dict[str, Floats] = field(default_factory=dict)
    pose_deviations: dict[str, Floats] = field(default_factory=dict)

    @classmethod
    def fit(
        cls, clips: Iterable[MotionClip], kind: str = "split", *, scale: str = "log_prob"
    ) -> Self:
        """Statistics of these clips, each at least one frame long; ValueError for no clip.

        Args:
            clips: to learn from.
            kind: see above.
            scale: what their audio holds, `log_prob` or `logit`.
        """
        clips = list(clips)
        if not clips or kind not in KINDS:
            raise ValueError(f"needs a clip and a kind of {KINDS}, not {len(clips)} and {kind!r}")
        audio_mean, audio_scale = _measure([clip.audio for clip in clips])
        _, expression = _measure([clip.motion[:, EXPRESSION] for clip in clips])
        as_stored = kind == "clip"
        return cls(
            kind=kind,
            audio_mean=np.full_like(audio_mean, EVEN_ODDS[scale]) if as_stored else audio_mean,
            audio_scale=np.ones_like(audio_scale) if as_stored else audio_scale,
            pose_scale=_measure_within(clips),
            expression_scale=1.0 if as_stored else float(np.sqrt(np.mean(expression**2))),
        ).add_identities(clips)

    def add_identities(self, clips: Iterable[MotionClip]) -> Self:
        """The same with the mean poses of these clips' identities, for fine-tuning on them."""
        clips = list(clips)
        means, deviations = dict(self.pose_means), dict(self.pose_deviations)
        for name in sorted({clip.identity for clip in clips}):
            of_one = [clip for clip in clips if clip.identity == name]
            means[name] = _measure([clip.motion[:, POSE] for clip in of_one])[0]
            deviations[name] = _measure_within(of_one)
        return replace(self, pose_means=means, pose_deviations=deviations)

    def normalise_audio(self, audio: Audio) -> Floats:
        """(n, A) float32 speech features as networks see them."""
        return (audio - self.audio_mean) / self.audio_scale

    def normalise_motion(self, clip: MotionClip) -> Floats:
        """(n, 71) motion of a clip as networks see it."""
        motion = clip.motion.copy()
        pose = motion[:, POSE]
        scale = self._scale_of(_measure([pose])[1] if self.kind == "clip" else None)
        motion[:, POSE] = (pose - pose.mean(axis=0, dtype=np.float64)) / scale
        motion[:, EXPRESSION] /= self.expression_scale
        motion[:, AU45] /= self.au45_scale
        return motion

    def denormalise_motion(
        self, motion: Floats, pose_mean: Floats, pose_deviation: Floats | None = None
    ) -> Floats:
        """(n, 71) motion in stored units.

        Args:
            motion: (n, 71) as networks see it.
            pose_mean: (6,) to move about, rad and mm, as one of `pose_means`.
            pose_deviation: (6,) of the kind `clip`, as one of `pose_deviations`.
        """
        motion = np.array(motion, np.float32)
        motion[:, POSE] = motion[:, POSE] * self._scale_of(pose_deviation) + pose_mean
        motion[:, EXPRESSION] *= self.expression_scale
        motion[:, AU45] *= self.au45_scale
        return motion

    def _scale_of(self, deviation: Floats | None) -> Floats:
        if self.kind == "split":
            return self.pose_scale
        if deviation is None:
            raise ValueError("this normalisation needs a clip's or an identity's pose deviation")
        return deviation

    def to_state(self) -> dict[str, Any]:
        """Text, numbers and tensors alone, for a checkpoint."""
        return {
            "kind": self.kind,
            "expression_scale": self.expression_scale,
            "au45_scale": self.au45_scale,
            **{name: _to_tensor(getattr(self, name)) for name in _VECTORS},
            **{
                name: {key: _to_tensor(value) for key, value in getattr(self, name).items()}
                for name in _BY_IDENTITY
            },
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """What `to_state` gave; AU45 was divided by 5 where a state does not say."""
        divisor = MAX_AU45 if state["kind"] == "split" else 1.0
        vectors = {name: state[name].numpy() for name in _VECTORS}
        tables = {name: _to_arrays(state[name]) for name in _BY_IDENTITY}
        return cls(
            kind=state["kind"],
            expression_scale=float(state["expression_scale"]),
            au45_scale=float(state.get("au45_scale", divisor)),
            **vectors,
            **tables,
        )


_VECTORS = ("audio_mean", "audio_scale", "pose_scale")
_BY_IDENTITY = ("pose_means", "pose_deviations")


def pad_audio(audio: Floats) -> Floats:
    """(n + 15, A): zeros for the frames that the first and last local windows lack.

    Pad what is standardised already: there 0 is an average score, while a log-probability of 0
    would be certainty.
    """
    return np.pad(audio, (CONTEXT, (0, 0)))


def _to_tensor(values: Floats) -> torch.Tensor:
    return torch.from_numpy(np.array(values, np.float32))


def _to_arrays(table: dict[str, torch.Tensor]) -> Any:
    return {name: values.numpy() for name, values in table.items()}


def _measure(parts: Sequence[Audio]) -> tuple[Floats, Floats]:
    """Mean and deviation (not 0) of the columns of all parts together."""
    count = sum(map(len, parts))
    mean = sum(part.sum(axis=0, dtype=np.float64) for part in parts) / count
    square = sum(np.square(part - mean).sum(axis=0) for part in parts) / count
    return _to_float32(mean), _to_float32(np.maximum(np.sqrt(square), _FLOOR))


def _measure_within(clips: Sequence[MotionClip]) -> Floats:
    """(6,) deviation of the poses of clips from their clips' means."""
    poses = [clip.motion[:, POSE].astype(np.float64) for clip in clips]
    square = sum(np.square(pose - pose.mean(axis=0)).sum(axis=0) for pose in poses)
    return _to_float32(np.maximum(np.sqrt(square / sum(map(len, poses))), _FLOOR))


def _to_float32(values: Any) -> Floats:
    return np.asarray(values, np.float32)
