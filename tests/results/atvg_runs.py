"""ATVGnet's trainings, each made once: on one man's sentences, and on all but GRID's people."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from tests.results.cascaded_runs import PRESET, finish
from tests.results.cascaded_speech import HELD, OTHERS, PEOPLE, SENTENCES
from tests.results.cascaded_subjects import (
    TEST,
    TRAIN,
    VAL,
    ingest_s1,
    ingest_subjects,
    make_where,
)
from tests.results.grid import place_sentences
from tests.results.setup import Setup
from toolkit.dataset.manifest import has_split, read_table, write_split
from zoo.data.sound_landmarks import SoundClips, load_sound_clips
from zoo.models.at_net.options import AtNetRecipe
from zoo.models.at_net.recipe import AtNetTask
from zoo.models.vg_net.clips import FaceClip, load_face_clips
from zoo.models.vg_net.options import VGNetRecipe
from zoo.models.vg_net.recipe import VGNetTask
from zoo.training.distributed import Distributed
from zoo.training.loop import Task

BATCH = 2
"""Windows of a step of VG-net: half of the preset's, and so twice as many steps in one time."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Clips of a dataset: those of a part of its split for which an expression holds."""

    dataset: Path
    split: str
    where: str | None = None

    def load_sound(self, **more: Any) -> SoundClips:
        """As AT-net reads them."""
        return load_sound_clips(self.dataset, split=self.split, where=self.where, **more)

    def load_faces(self, num_frames: int) -> tuple[FaceClip, ...]:
        """As VG-net reads them: stretches of at least so many measured frames."""
        return load_face_clips(
            self.dataset, num_frames=num_frames, split=self.split, where=self.where
        )


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """What a network learns from, what chooses its epoch, and what it is tested on.

    Attributes:
        label: of its runs' folders.
        trained: clips to learn from.
        chosen_by: other people or sentences.
        judged: by name.
    """

    label: str
    trained: Part
    chosen_by: Part
    judged: Mapping[str, Part]


def list_corpora(setup: Setup, workers: int, *, talks: bool) -> dict[str, Corpus]:
    """By what is trained on; `talks`: people whose own voice is heard alone."""
    own = find_sentences(setup)
    people = ingest_subjects(setup, workers)
    where = make_where(talks=talks, grid=False)
    others = Corpus(
        label="people",
        trained=Part(dataset=people, split=TRAIN, where=where),
        chosen_by=Part(dataset=people, split=VAL, where=where),
        judged={PEOPLE: Part(dataset=people, split=TEST, where=where), **own.judged},
    )
    return {SENTENCES: own, OTHERS: others}


def find_sentences(setup: Setup) -> Corpus:
    """One man's: a tenth is tested on, another chooses."""
    dataset = ingest_s1(setup)
    if not has_split(dataset):
        divide_s1(dataset)
    trained, chosen_by, judged = (Part(dataset=dataset, split=name) for name in (TRAIN, VAL, TEST))
    return Corpus(label="s1", trained=trained, chosen_by=chosen_by, judged={HELD: judged})


def divide_s1(dataset: Path) -> None:
    """Write s1's split: a tenth of his sentences judges, another chooses, as `grid` has them."""
    clips = read_table(dataset, "clips").sort_values("clip_id")
    names = [PurePath(source).stem for source in clips["source"]]
    place, tenth = place_sentences(names)
    made = {"by": "clip", "ratio": "8-1-1", "seed": 0}
    rows = [
        {"clip_id": clip, "split": (TEST, VAL, TRAIN)[min(place[name] // tenth, 2)], **made}
        for clip, name in zip(clips["clip_id"], names, strict=True)
    ]
    write_split(dataset, rows)


# --- networks -----------------------------------------------------------------------------------


def train_sound(setup: Setup, corpus: Corpus, trained: SoundClips, chosen_by: SoundClips) -> Path:
    """The best checkpoint of an AT-net of a corpus."""
    epochs = setup.sound_epochs if corpus.label == "s1" else setup.sound_people_epochs
    recipe = AtNetRecipe(
        shards=corpus.trained.dataset / "shards", preset=PRESET, epochs=epochs, device="cpu"
    )

    def make() -> Task:
        return AtNetTask(recipe, trained, chosen_by, distributed=Distributed())

    return finish(make, setup.out / f"atvg-sound-{corpus.label}", epochs=epochs, what="frames")


def train_faces(setup: Setup, corpus: Corpus, *, epochs: int = 0, ablate: str = "") -> Path:
    """The best checkpoint of a VG-net of a corpus; `epochs`: 0 is the setup's."""
    whole = setup.face_epochs if corpus.label == "s1" else setup.face_people_epochs
    recipe = VGNetRecipe(
        shards=corpus.trained.dataset / "shards",
        preset=PRESET,
        epochs=epochs or whole,
        batch_size=BATCH,
        ablate=ablate,
        device="cpu",
    )

    def make() -> Task:
        parts = (part.load_faces(recipe.window) for part in (corpus.trained, corpus.chosen_by))
        return VGNetTask(recipe, *parts, distributed=Distributed())

    out = setup.out / name_faces(corpus, recipe.epochs, ablate)
    return finish(make, out, epochs=recipe.epochs, what="frames")


def name_faces(corpus: Corpus, epochs: int, ablate: str = "") -> str:
    """The folder of a VG-net's run."""
    return "-".join(filter(None, ("atvg-faces", corpus.label, str(epochs), ablate)))
