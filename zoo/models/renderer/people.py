"""Whom a renderer is learnt from: one person, or several for a base that others begin with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.dataset.manifest import read_table
from toolkit.errors import ToolkitError
from toolkit.facemodel.model import FaceModel
from zoo.data.frames import RenderClip
from zoo.data.order import Places, spread_order
from zoo.data.source import find_dataset
from zoo.models.renderer.inputs import WindowMaker
from zoo.models.renderer.options import EVERYONE, RendererRecipe
from zoo.models.renderer.person import Person, fit_person
from zoo.models.renderer.windows import RenderedWindows


def list_people(recipe: RendererRecipe) -> tuple[str, ...]:
    """Names of all whom a recipe means.

    Everyone are all of the dataset with a holdout, else those with clips in the parts `train` and
    `val`.

    Raises:
        ToolkitError: no dataset or split here, or no identity has clips in both parts.
    """
    if recipe.identity:
        return (recipe.identity,)
    if recipe.people != (EVERYONE,):
        return tuple(dict.fromkeys(recipe.people))
    dataset = find_dataset(recipe.shards)
    clips = read_table(dataset, "clips")
    names = set(clips["identity"])
    if not recipe.holdout:
        parts = read_table(dataset, "split")
        for part in ("train", "val"):
            chosen = clips["clip_id"].isin(parts.loc[parts["split"] == part, "clip_id"])
            names &= set(clips.loc[chosen, "identity"])
    if not names:
        raise ToolkitError(
            f"{dataset}: no identity has clips in both train and val: hold frames of each out: "
            "--holdout 0.2"
        )
    return tuple(sorted(names))


def check_kind(clips: Sequence[RenderClip]) -> None:
    """ToolkitError where clips of several people differ in frame size, frame rate or origin."""
    for clip in clips:
        for what, value in clip.kind.items():
            if value != clips[0].kind[what]:
                raise ToolkitError(
                    f"{clip.identity}: {what} {value}, but {clips[0].kind[what]} of "
                    f"{clips[0].identity}: learn from people of one kind of shards"
                )


def fit_people(clips: Sequence[RenderClip]) -> tuple[Person, ...]:
    """The person of each identity, in the order in which they come; errors as `fit_person`."""
    names = dict.fromkeys(clip.identity for clip in clips)
    return tuple(fit_person([clip for clip in clips if clip.identity == name]) for name in names)


@dataclass(frozen=True, eq=False)
class PeopleMaker:
    """Makes windows of several people, each with their own means.

    Attributes:
        makers: identity -> maker.
    """

    makers: Mapping[str, WindowMaker]

    @classmethod
    def of_people(
        cls,
        people: Sequence[Person],
        model: FaceModel,
        threshold: float,
        *,
        preset: str,
        without: str,
    ) -> "PeopleMaker":
        """Arguments as of `WindowMaker.of_person`."""
        return cls(
            {
                person.identity: WindowMaker.of_person(
                    person, model, threshold, preset=preset, without=without
                )
                for person in people
            }
        )

    def make_of_clip(self, clip: RenderClip) -> RenderedWindows:
        """The windows of a clip's own motion, of its person."""
        return self.makers[clip.identity].make_of_clip(clip)

    def place_regions(self, clip: RenderClip) -> npt.NDArray[np.float32]:
        """Mouth and eyes of a clip's frames, (n, 3, 4), by its person's shape."""
        return self.makers[clip.identity].place_regions(clip)


def draw_evenly(counts: Sequence[int], each: int, *, seed: int, epoch: int) -> Places:
    """Places of an epoch's frames, as many of every person.

    Those with fewer frames come again and again, those with more by a part that is another in
    every epoch.

    Args:
        counts: frames of each person, numbered through.
        each: frames of a person; 0: all of the only one, of several as many in all as there are.
        seed: of what is drawn.
        epoch: from 0.
    """
    if len(counts) == 1 and not each:
        return np.arange(counts[0])
    each = each or round(sum(counts) / len(counts))
    firsts = np.cumsum([0, *counts])[:-1]
    drawn = list[Places]()
    for number, (first, count) in enumerate(zip(firsts.tolist(), counts, strict=True)):
        rng = np.random.default_rng([seed, epoch, number])
        turns = [rng.permutation(count) for _ in range(-(-each // count))]
        drawn.append(first + np.concatenate(turns)[:each])
    return np.concatenate(drawn)


def spread_evenly(counts: Sequence[int], most: int) -> list[Places]:
    """About so many frames, as many of every person and one of each at least, evenly spaced."""
    firsts = np.cumsum([0, *counts])[:-1].tolist()
    share = max(1, most // len(counts))
    return [
        first + place
        for first, count in zip(firsts, counts, strict=True)
        for place in spread_order(count, share)
    ]
