"""What the acoustic model is trained on: recordings, texts read aloud, sounds without transcripts.

Each is stored once in the run's folder, and beside it what the teacher says of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.features.whisper import Whisper
from zoo.data.transcripts import SpeechStore, Utterance
from zoo.models.deepspeech.chains import Material
from zoo.models.deepspeech.options import DeepSpeechRecipe
from zoo.models.deepspeech.sounds import store_sounds
from zoo.models.deepspeech.teacher import WEIGHTS, Say, Teacher, train_teacher
from zoo.models.deepspeech.voices import store_synthetic

PACKAGE = "package"
"""Value of the recipe's `teacher`: Whisper from its package."""

SHARES = {"speechocean762": 0.35}
"""How much of a corpus an epoch sees, where it is not all: accents and children's voices."""

Validation = tuple[SpeechStore, Sequence[Utterance]]


@dataclass(frozen=True)
class Preparation:
    """Of one run.

    Attributes:
        recipe: the run's.
        out: its folder.
        say: is told what takes long.
        is_done: another process has stored all of it in the folder.
    """

    recipe: DeepSpeechRecipe
    out: Path
    say: Say
    is_done: bool = False

    def prepare(
        self,
        rows: Sequence[Utterance],
        recordings: SpeechStore,
        validation: Validation,
        avoid: set[str],
    ) -> list[Material]:
        """All that there is to train on; what was stored before is not made again.

        Args:
            rows: to train on.
            recordings: of the rows.
            validation: recordings to choose by, and their rows.
            avoid: sentences that are not to be read aloud.
        """
        teacher = self._open_teacher(recordings, validation)
        shares = np.array([SHARES.get(row.corpus, 1.0) for row in rows])
        materials = [self._make(recordings, shares, teacher)]
        if self.recipe.synthetic_hours:
            speech = self._read_texts([row.text for row in rows], avoid)
            share = min(1.0, self.recipe.synthetic_share * float(shares.sum()) / len(speech))
            materials.append(self._make(speech, np.full(len(speech), share), teacher))
        if self.recipe.sounds and teacher:
            self.say("cutting the sounds into stretches of speech")
            speech = store_sounds(self.out / "sounds.s16", self.recipe.sounds, teacher)
            materials.append(self._make(speech, np.ones(len(speech)), teacher))
        return materials

    def _open_teacher(self, recordings: SpeechStore, validation: Validation) -> Teacher | None:
        recipe = self.recipe
        if recipe.teacher is None:
            return None
        whisper = Whisper(None if recipe.teacher == PACKAGE else Path(recipe.teacher))
        folder = self.out / "teacher"
        if self.is_done:
            return Teacher(whisper, folder / WEIGHTS)
        return train_teacher(
            whisper,
            recordings,
            validation,
            folder,
            epochs=recipe.teacher_epochs,
            seed=recipe.seed,
            precision=recipe.precision,
            say=self.say,
        )

    def _read_texts(self, sentences: Sequence[str], avoid: set[str]) -> SpeechStore:
        self.say(f"synthesising {self.recipe.synthetic_hours:g} hours of speech")
        return store_synthetic(
            self.out / "synthetic.s16",
            self.recipe.text,
            sentences,
            avoid=avoid,
            hours=self.recipe.synthetic_hours,
            seed=self.recipe.seed,
        )

    def _make(
        self, speech: SpeechStore, shares: npt.NDArray[np.float64], teacher: Teacher | None
    ) -> Material:
        if teacher is None:
            return Material(speech, shares)
        self.say(f"teacher: probabilities of {len(speech)} sounds")
        path = speech.path.with_name(f"{speech.path.stem}-posteriors.f16")
        return Material(speech, shares, teacher.store_posteriors(speech, path))
