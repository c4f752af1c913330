"""Methods side by side on the test part of a dataset, as rows of tables."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.data import AU45, ClipSet, MotionClip, load_clips
from zoo.evaluation.motion import Method, Motion, MotionScores, make_baselines, score_motion
from zoo.evaluation.tables import tabulate_blinks, tabulate_motion
from zoo.metrics.blinks import BlinkClip, measure_blinks
from zoo.metrics.confusion import Confusion
from zoo.models.facial.model import open_facial_gan
from zoo.models.style.model import open_classifiers
from zoo.motion.blink_rate import MODEL
from zoo.motion.generate import clip_au45
from zoo.motion.model import MotionModel
from zoo.synthetic.oracle import load_truth
from zoo.training.loop import BEST

REAL, ORACLE = "real", "oracle"

Rows = list[dict[str, Any]]


class Contest:
    """Methods, their motion for every test clip (made once), and their scores.

    Attributes:
        clips: of the test part.
        methods: name -> method.
        scores: name -> figures.
        confusions: name -> style -> confusion.
    """

    def __init__(
        self, clips: ClipSet, methods: Mapping[str, Method], judges: Path | None = None
    ) -> None:
        """Let every method make its motion, and score it."""
        self.clips = clips
        self.methods: dict[str, Method] = {n: functools.cache(m) for n, m in methods.items()}
        known = open_classifiers(judges) if judges else None
        self.scores: dict[str, MotionScores] = {}
        self.confusions: dict[str, dict[str, Confusion]] = {}
        for name, method in self.methods.items():
            found = score_motion(name, method, clips, known)
            self.scores[name], self.confusions[name] = found

    def tabulate(self) -> Rows:
        """A row per method."""
        return tabulate_motion(self.scores, "constant")

    def tabulate_blinks(self, names: Sequence[str]) -> Rows:
        """A row per identity: the real blinks, and how far these methods are from them."""
        return tabulate_blinks(self.count_blinks(REAL), {n: self.scores[n] for n in names})

    def count_blinks(self, name: str) -> dict[str, Any]:
        """Identity -> blinks of a method over the test clips."""
        lids = (
            BlinkClip(c.identity, self.methods[name](c)[:, AU45.start], c.valid) for c in self.clips
        )
        return measure_blinks(lids, self.clips.fps)


def speak_with(models: Mapping[str, MotionModel]) -> Method:
    """The method of one model for each identity, `""` standing for all others; lids not mapped."""

    def speak(clip: MotionClip) -> Motion:
        model = models.get(clip.identity) or models[""]
        return model.generate(clip.audio, identity=clip.identity, blink_rate=MODEL, map_head=False)

    return speak


def hold_contest(
    dataset: Path,
    runs: Mapping[str, Path | Mapping[str, Path]],
    judges: Path | None = None,
) -> Contest:
    """Constant, ridge, runs, the noise-free truth and the real motion on the test part.

    Args:
        dataset: synthetic.
        runs: name -> a run's folder, or one for each identity.
        judges: classifiers of personal style.
    """
    parts = {part: load_clips(dataset, split=part) for part in ("train", "val", "test")}
    models = {
        name: {
            key: open_facial_gan(run / BEST)
            for key, run in (of.items() if isinstance(of, Mapping) else [("", of)])
        }
        for name, of in runs.items()
    }
    first = next(iter(next(iter(models.values())).values()))
    truth = load_truth(dataset)
    methods: dict[str, Method] = {
        **make_baselines(parts["train"], parts["val"], first.normalisation),
        **{name: speak_with(known) for name, known in models.items()},
        ORACLE: lambda clip: clip_au45(truth[clip.id]),
        REAL: lambda clip: clip.motion,
    }
    return Contest(parts["test"], methods, judges)
