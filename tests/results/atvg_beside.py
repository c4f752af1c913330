"""VG-net beside a t-GAN and FACIAL's renderer: one person's held-out frames, in one square.

All three draw by what was measured in the frames: VG-net and t-GAN by landmarks, the renderer by
pose and expression. VG-net has one picture of the person, the t-GAN twenty, the renderer the rest
of the person's video; the first two were trained on other people.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.results.atvg_pictures import REAL, STILL, VG_NET, score_all, tabulate
from tests.results.atvg_runs import list_corpora, train_faces
from tests.results.atvg_takes import Draw, Take, cut_take, draw_real, draw_still, draw_with
from tests.results.cascaded_faces import train_base
from tests.results.cascaded_speech import OTHERS
from tests.results.people import train_alone
from tests.results.setup import MissingDataError, Setup, Table
from zoo.data.frames import Picture, RenderClip, load_render_clips
from zoo.data.holdout import Holdout
from zoo.data.picture_files import resize_square
from zoo.data.source import select_clips
from zoo.landmarks.spread import choose_spread
from zoo.models.renderer.model import TrainedRenderer, open_renderer
from zoo.models.t_gan.finetune import finetune
from zoo.models.t_gan.model import TrainedTGan
from zoo.models.t_gan.options import MAML
from zoo.models.t_gan.pictures import Person, load_people
from zoo.models.t_gan.presets import FINETUNING_EPOCHS, NUM_PICTURES, PRESETS
from zoo.models.vg_net.clips import FaceClip, load_face_clips
from zoo.models.vg_net.model import TrainedVGNet, open_vg_net
from zoo.models.vg_net.presets import NUM_FRAMES
from zoo.speaking.reenact import draw_clip
from zoo.training.checkpoint import load_checkpoint
from zoo.training.loop import BEST, LAST

PERSON = "katie-hill"
"""Of the people who are tested on."""

T_GAN, RENDERER = "t-GAN", "FACIAL's renderer"


@dataclass(frozen=True, eq=False, kw_only=True)
class Held:
    """A held-out stretch, as the three networks find it.

    Attributes:
        take: as VG-net sees it.
        clip: its clip, by what a renderer draws.
        frames: of the whole clip, those that the take has.
        points: (n, 68, 2) px of the stored pictures.
        face: by what the square is cut.
    """

    take: Take
    clip: RenderClip
    frames: range
    points: np.ndarray[Any, np.dtype[np.float64]]
    face: np.ndarray[Any, np.dtype[np.float64]]


def run_beside(setup: Setup, workers: int) -> dict[str, Table]:
    """One person who is in no other network's training part."""
    corpus = list_corpora(setup, workers, talks=False)[OTHERS]
    people = corpus.trained.dataset
    vg_best = train_faces(setup, corpus)
    base = train_base(setup, people, MAML)
    run = train_alone(setup, PERSON, people / "shards", "atvg-renderer", setup.beside_epochs)
    renderer = open_renderer(run.renderer / BEST, "cpu")
    model = open_vg_net(vg_best)
    held = find_held(setup, people, model)
    methods: dict[str, Draw] = {REAL: draw_real, STILL: draw_still, VG_NET: draw_with(model)}
    methods[T_GAN] = _look_up(held, draw_t_gan(tune(setup, people, base), model, held))
    methods[RENDERER] = _look_up(held, draw_renderer(renderer, model, held))
    scores = score_all(methods, [each.take for each in held])
    known = describe(setup, {VG_NET: vg_best, T_GAN: base, RENDERER: run.renderer / BEST})
    rows = [row | known.get(str(row["shown"]), {}) for row in tabulate(scores)]
    return {"atvg-beside": Table(rows)}


# --- frames -------------------------------------------------------------------------------------


def find_held(setup: Setup, people: Path, model: TrainedVGNet) -> list[Held]:
    """The beginnings of the person's clips in the part that is held out."""
    where = f"identity == {PERSON!r}"
    holdout = Holdout(share=setup.holdout, identity=PERSON)
    faces = load_face_clips(
        people, num_frames=NUM_FRAMES, split=None, holdout=holdout, held=True, where=where
    )
    whole = {clip.id: clip for clip in load_render_clips(people / "shards", identity=PERSON)}
    return [find_stretch(face, whole[face.id], model, setup.judged_seconds) for face in faces]


def find_stretch(face: FaceClip, clip: RenderClip, model: TrainedVGNet, seconds: float) -> Held:
    """The beginning of a held-out part, and where it lies in its clip."""
    take, first = cut_take(face, model, seconds), face.stretches[0][0]
    begin = face.part.first + first + 1 - clip.first
    points = face.landmarks[first + 1 : first + 1 + len(take)]
    frames = range(begin, begin + len(take))
    return Held(take=take, clip=clip, frames=frames, points=points, face=face.landmarks[first])


def _look_up(held: Sequence[Held], drawn: Sequence[list[Picture]]) -> Draw:
    by_clip = {each.take.clip: frames for each, frames in zip(held, drawn, strict=True)}
    return lambda take: by_clip[take.clip]


def draw_renderer(
    renderer: TrainedRenderer, model: TrainedVGNet, held: Sequence[Held]
) -> list[list[Picture]]:
    """Of the clips' own motion, whole: smoothing reaches over a part's ends."""
    drawn = []
    for each in held:
        cut = model.frame(each.face).cut
        shown = enumerate(draw_clip(renderer, each.clip))
        drawn.append([cut(picture) for t, picture in shown if t in each.frames])
    return drawn


def draw_t_gan(
    t_gan: TrainedTGan, model: TrainedVGNet, held: Sequence[Held]
) -> list[list[Picture]]:
    """Of the frames' landmarks."""
    drawn = []
    for each in held:
        cut, side = model.frame(each.face).cut, each.clip.camera.size
        found = t_gan.draw(each.points * (t_gan.size / side))
        drawn.append([cut(resize_square(picture, side)) for picture in found])
    return drawn


def tune(setup: Setup, people: Path, base: Path) -> TrainedTGan:
    """A t-GAN fine-tuned to pictures of the person that are not held out."""
    where, size = f"identity == {PERSON!r}", PRESETS["small"].size
    (person,) = load_people(people / "shards", size, split=None, where=where)
    places = np.flatnonzero(mark_free(setup, people, person))
    if not len(places):
        raise MissingDataError(f"no picture of {PERSON} that is not held out")
    chosen = places[choose_spread(person.landmarks[places], NUM_PICTURES)]
    return finetune(base, person.read(chosen), person.landmarks[chosen])


def mark_free(setup: Setup, people: Path, person: Person) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(n,) which of a person's pictures lie in no held-out part."""
    holdout = Holdout(share=setup.holdout, identity=person.identity)
    held = {
        part.clip.id: (part.first, part.last)
        for part in select_clips(people, holdout=holdout, held=True)
    }
    free = []
    for number, frame in person.places.tolist():
        first, last = held.get(person.slices[number].clip.id, (0, 0))
        free.append(not first <= frame < last)
    return np.array(free, bool)


def describe(setup: Setup, runs: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """What each network has of the person, and how long it was trained."""
    own = {
        VG_NET: "one picture",
        T_GAN: f"{NUM_PICTURES} pictures, {FINETUNING_EPOCHS} epochs",
        RENDERER: f"the other {1 - setup.holdout:.0%} of the video",
    }
    found = {}
    for name, best in runs.items():
        content = load_checkpoint(best.with_name(LAST))
        steps = f"{content['total_steps']} steps"
        found[name] = {"of the person": own[name], "trained for": steps}
        print(name, found[name], file=sys.stderr)
    return found
