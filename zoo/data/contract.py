"""What data a trained network takes: in its checkpoint, and checked before it is used."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from toolkit.errors import ToolkitError
from toolkit.schema import SPEECH_FEATURES
from zoo.data import MOTION_LAYOUT, ClipSet

__all__ = ["Contract", "make_contract"]


@dataclass(frozen=True, kw_only=True)
class Contract:
    """Where the numbers that a network was trained on come from.

    Attributes:
        layout: name and version of the motion's order and units, as `MOTION_LAYOUT`.
        fps: frames a second.
        scale: what the audio holds, `log_prob`, `logit` or `state`.
        backends: feature -> name, version and weights' digest of what made it.
        speech_features: what the audio is, one of `SPEECH_FEATURES`; checkpoints that do not say
            take the scores.
    """

    layout: str
    fps: int
    scale: str
    backends: dict[str, str]
    speech_features: str = SPEECH_FEATURES[0]

    def to_state(self) -> dict[str, Any]:
        """Text and numbers alone, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """What `to_state` gave."""
        return cls(**state)

    def refuse_others(self, other: "Contract", name: str) -> None:
        """Check that data are of the kind that the network knows.

        Args:
            other: of the data. Features that either side does not name are not compared: for
                sound alone there is only that of speech.
            name: of the data, for the message.

        Raises:
            ToolkitError: they are of another kind; says which and what to do.
        """
        for what in ("layout", "fps", "speech_features", "scale"):
            self._refuse(name, _NAMES[what], getattr(self, what), getattr(other, what))
        for feature in sorted(self.backends.keys() & other.backends.keys()):
            self._refuse(name, feature, self.backends[feature], other.backends[feature])

    def _refuse(self, name: str, what: str, expected: object, given: object) -> None:
        if expected != given:
            raise ToolkitError(
                f"{name}: {what} is {given}, but the model was trained with {expected}: use "
                "data made in the same way, or train a model on these"
            )


def make_contract(clips: ClipSet) -> Contract:
    """What a network trained on these clips can be fed with."""
    return Contract(
        layout=MOTION_LAYOUT,
        fps=clips.fps,
        scale=clips.scale,
        backends=clips.backends,
        speech_features=clips.speech_features,
    )


_NAMES = {
    "layout": "motion layout",
    "fps": "frame rate",
    "speech_features": "--speech-features",
    "scale": "scale of the audio",
}
