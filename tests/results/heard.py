"""Speech features that stand beside one another: where they are stored, for the same clips."""

from dataclasses import dataclass
from pathlib import Path

from tests.accuracy.speech_features import STATES
from tests.results.setup import Setup
from toolkit.storage import hash_file
from zoo.data import ClipSet, load_clips
from zoo.evaluation.rescore import rescore_dataset

SHIPPED = "scores"


@dataclass(frozen=True)
class Heard:
    """Speech features of all clips: their name, and where they are stored as what."""

    name: str
    dataset: Path
    speech_features: str = "deepspeech"

    def load(self, *, min_frames: int) -> ClipSet:
        """All clips of so many frames, with these features as their `audio`."""
        features = self.speech_features
        return load_clips(self.dataset, split=None, min_frames=min_frames, speech_features=features)

    @property
    def label(self) -> str:
        """Of folders of runs."""
        return f"{self.dataset.name}-{self.speech_features}"


def list_heard(setup: Setup, dataset: Path, *, with_states: bool) -> list[Heard]:
    """Scores of the shipped network, which a dataset holds, those of `setup.weights`, and states.

    Args:
        setup: the weights of another network, if there are any, and where its copy is to lie.
        dataset: with the shipped network's scores.
        with_states: it has Whisper's too.
    """
    heard = [Heard(SHIPPED, dataset)]
    if setup.weights is not None:
        copy = setup.out / f"{dataset.name}-{hash_file(setup.weights)[:8]}"
        rescore_dataset(dataset, copy, setup.weights)
        heard.append(Heard(f"{SHIPPED}, {setup.weights.stem}", copy))
    if with_states:
        heard.append(Heard(STATES, dataset, "whisper"))
    return heard
