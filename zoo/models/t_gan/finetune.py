"""Fine-tuning to one person by a few pictures: `finetune`, and `zoo finetune t-gan`.

Das et al. (ECCV 2020), sections 3.4 and 4.3: K = 20 pictures, 10 epochs, eq. 11. What is learnt
from are pictures and landmarks, wherever they come from; `choose_pictures` takes them from a
folder of pictures, a video, or a clip of a dataset.

Legend: K pictures to learn from, H their side.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from toolkit.dataset.find import find_clip
from toolkit.errors import ToolkitError
from toolkit.schema import NOMINAL_SIZE
from toolkit.storage import hash_file
from zoo.data.fingerprint import Fingerprint, digest_item
from zoo.data.landmarks import MESH68
from zoo.data.order import cut_order
from zoo.data.picture_files import resize_square
from zoo.data.portraits import choose_best, measure_portraits
from zoo.data.source import find_dataset
from zoo.landmarks.align import view68
from zoo.landmarks.spread import choose_spread
from zoo.models.t_gan import FAMILY
from zoo.models.t_gan.batches import PersonBatch, make_batch, summarise_errors
from zoo.models.t_gan.judges import Judges, open_judges
from zoo.models.t_gan.losses import TextureLosses
from zoo.models.t_gan.meta import learn
from zoo.models.t_gan.model import TrainedTGan, make_generator, open_content
from zoo.models.t_gan.networks import create_discriminator, place_network
from zoo.models.t_gan.options import ABLATIONS, BETAS, INNER_RATE, FinetuneRecipe
from zoo.models.t_gan.pictures import Picture, load_people
from zoo.models.t_gan.presets import FINETUNING_EPOCHS, NUM_REFERENCES, PRESETS
from zoo.models.t_gan.spectral import iterate_gains
from zoo.training.checkpoint import load_checkpoint
from zoo.training.likeness import warn_of_others
from zoo.training.loop import Metrics, Task
from zoo.training.networks import copy_to_cpu
from zoo.training.options import to_plain
from zoo.training.pictures import to_pictures
from zoo.training.precision import autocast

JUDGED_PICTURES = 50
"""The most that an epoch is judged by."""

SHOWN = 6
"""Of those, how many stand on a sheet."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PersonPictures:
    """One person's pictures, as fine-tuning takes them.

    Attributes:
        identity: who, as the checkpoint notes it.
        pictures: (K, H, H, 3) uint8 RGB.
        landmarks: (K, 68, 2) px.
        meshes: (K, 478, 3) px, by which the person's face at rest is known later; None: unknown.
    """

    identity: str
    pictures: Picture
    landmarks: npt.NDArray[np.float64]
    meshes: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """K."""
        return len(self.pictures)


def finetune(
    base: Path,
    pictures: npt.ArrayLike,
    landmarks: npt.ArrayLike,
    *,
    epochs: int = FINETUNING_EPOCHS,
    learning_rate: float = INNER_RATE,
    seed: int = 0,
    judges: Judges | None = None,
    device: torch.device | str = "cpu",
) -> TrainedTGan:
    """A trained texture GAN, fine-tuned to one person and ready to draw.

    Args:
        base: checkpoint of `zoo train t-gan`.
        pictures: (K, H, H, 3) uint8 RGB, H as `base` has it.
        landmarks: (K, 68, 2) px of these pictures.
        epochs: an epoch is every picture once.
        learning_rate: of Adam.
        seed: of the order.
        judges: of features; None: those of `open_judges` without files, or where `base` was
            trained without eq. 10 none.
        device: where to compute.

    Raises:
        ToolkitError: no such checkpoint, or pictures of another size.
    """
    person = PersonPictures(
        identity="",
        pictures=np.asarray(pictures, np.uint8),
        landmarks=np.asarray(landmarks, np.float64),
    )
    content = load_checkpoint(base, FAMILY.name)["model"]
    if judges is None and "feature" not in ABLATIONS[content["ablate"]]:
        judges = open_judges(None, None, half=PRESETS[content["preset"]].half_size_judge)
    tuning = Finetuning(
        base, content, person, judges=judges, learning_rate=learning_rate, device=device
    )
    for epoch in range(epochs):
        for places in tuning.draw_order(seed, epoch):
            tuning.step(places)
    return open_content(tuning.export(), base, torch.device(device))


class Finetuning:
    """The networks of a checkpoint, and one person's pictures that they learn from."""

    def __init__(
        self,
        base: Path,
        content: dict[str, Any],
        person: PersonPictures,
        *,
        judges: Judges | None,
        learning_rate: float,
        device: torch.device | str,
        precision: str = "fp32",
    ) -> None:
        self._content, self._device = content, torch.device(device)
        self._person, self._judges = person, judges
        size = int(content["size"])
        if person.pictures.shape[1:] != (size, size, 3):
            shape = " × ".join(map(str, person.pictures.shape[1:]))
            raise ToolkitError(f"pictures of {shape}, but {base} draws {size} × {size} px")
        self._preset = PRESETS[content["preset"]]
        self._sha256 = hash_file(base)
        networks: dict[str, nn.Module] = {}
        if "discriminator" in content:
            networks["discriminator"] = create_discriminator(content["preset"], size)
        networks["generator"] = make_generator(content)
        for name, network in networks.items():
            network.load_state_dict(content[name])
        self.networks = {n: place_network(v, self._device) for n, v in networks.items()}
        self.optimisers = {
            name: torch.optim.Adam(network.parameters(), learning_rate, BETAS)
            for name, network in self.networks.items()
        }
        if judges is not None:
            judges.to(self._device)
        computing = functools.partial(autocast, self._device, precision, *self.networks.values())
        self.losses = TextureLosses(judges, computing=computing)
        spread = np.linspace(0, len(person) - 1, min(NUM_REFERENCES, len(person)))
        self._references = spread.round().astype(np.int64)
        batch = make_batch(person.pictures, person.landmarks, self._references)
        self.batch = batch.to(self._device)

    def draw_order(self, seed: int, epoch: int) -> list[npt.NDArray[np.int64]]:
        """Pictures of each step of an epoch: all of them, once."""
        order = np.random.default_rng([seed, epoch]).permutation(len(self._person))
        return cut_order(order, self._preset.finetuning_batch)

    def step(self, places: npt.NDArray[np.int64]) -> None:
        """Both networks learn from the pictures of these numbers."""
        chosen = torch.as_tensor(places)
        references = torch.as_tensor(self._rotate(places))
        batch = PersonBatch(
            target=self.batch.target[chosen],
            raster=self.batch.raster[chosen],
            pictures=self.batch.pictures[references],
            rasters=self.batch.rasters[references],
        )
        iterate_gains(*self.networks.values())
        learn(self.networks, self.optimisers, self.losses, batch)

    def _rotate(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """N of the references, as in training; each has its turn."""
        number = min(self._preset.references, len(self._references))
        return (int(places[0]) + np.arange(number)) % len(self._references)

    def export(self) -> dict[str, Any]:
        """As a checkpoint holds it: what `TGanTask` exports, with the person's texture."""
        generator = self.networks["generator"]
        with torch.no_grad():
            texture = generator.embed(self.batch.pictures, self.batch.rasters)  # type: ignore[operator]
        weights = {name: copy_to_cpu(network) for name, network in self.networks.items()}
        meshes = self._person.meshes
        return (
            self._content
            | weights
            | {
                "base": self._sha256,
                "identity": self._person.identity,
                "texture": texture.cpu(),
                "meshes": None if meshes is None else torch.from_numpy(meshes.copy()),
                "judges": {} if self._judges is None else self._judges.describe(),
            }
        )


def choose_pictures(
    recipe: FinetuneRecipe, size: int
) -> tuple[PersonPictures, PersonPictures, str]:
    """What is learnt from, what the best epoch is chosen by, and what measured the landmarks.

    Of a folder or a video the K best pictures, see `choose_best`; of a clip K frames that differ
    most in their landmarks. The best epoch is chosen by at most 50 others, evenly spaced; where
    there are none, by those that are learnt from.

    Raises:
        ToolkitError: no such clip, or no other frame than those that are learnt from; and see
            `measure_portraits`.
        ShardError: a shard without crops or landmarks.
    """
    if recipe.shards is None:
        return _choose_portraits(Path(recipe.images), recipe.num_pictures, size)
    name = find_clip(find_dataset(recipe.shards), recipe.images)[0]
    (person,) = load_people(recipe.shards, size, split=None, where=f"clip_id == {name!r}")
    if len(person) <= recipe.num_pictures:
        raise ToolkitError(
            f"clip {name}: {len(person)} measured frames, none beside those to learn from: "
            "give fewer --num-pictures"
        )
    chosen = choose_spread(person.landmarks, recipe.num_pictures)
    others = np.setdiff1d(np.arange(len(person)), chosen)
    learnt, judged = (
        PersonPictures(
            identity=person.identity,
            pictures=person.read(part),
            landmarks=person.landmarks[part],
            meshes=person.read_meshes(part),
        )
        for part in (chosen, _thin_out(others))
    )
    return learnt, judged, person.backend


def _choose_portraits(
    path: Path, number: int, size: int
) -> tuple[PersonPictures, PersonPictures, str]:
    portraits = measure_portraits(path)
    warn_of_others(portraits)
    chosen = choose_best(portraits, number)
    others = np.setdiff1d(np.arange(len(portraits)), chosen)
    meshes = portraits.meshes * np.float32(size / NOMINAL_SIZE)
    learnt, judged = (
        PersonPictures(
            identity=portraits.person,
            pictures=np.stack(
                [resize_square(picture, size) for picture in portraits.pictures[part]]
            ),
            landmarks=view68(meshes[part]),
            meshes=meshes[part],
        )
        for part in (chosen, _thin_out(others if len(others) else chosen))
    )
    return learnt, judged, portraits.backend


def _thin_out(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """At most `JUDGED_PICTURES` of them, evenly spaced."""
    spread = np.linspace(0, len(numbers) - 1, min(len(numbers), JUDGED_PICTURES)).round()
    return numbers[spread.astype(np.int64)]


def prepare_finetuning(recipe: FinetuneRecipe, device: torch.device) -> "FinetuneTask":
    """The task of `zoo finetune t-gan`.

    Raises:
        ToolkitError: no such checkpoint or clip, or landmarks of another kind; and see there.
    """
    content = load_checkpoint(recipe.base, FAMILY.name)["model"]
    learnt, judged, backend = choose_pictures(recipe, int(content["size"]))
    points = content.get("points", MESH68)
    if points != MESH68:
        raise ToolkitError(
            f"{recipe.base}: knows {points} landmarks, but those of pictures are {MESH68}"
        )
    if backend != content["landmarks"]:
        raise ToolkitError(
            f"{recipe.shards or recipe.images}: landmarks by {backend}, but {recipe.base} was "
            f"trained with {content['landmarks']}: take a base and pictures made in the same way"
        )
    judges = None
    if "feature" not in ABLATIONS[content["ablate"]]:
        half = PRESETS[content["preset"]].half_size_judge
        judges = open_judges(recipe.vgg, recipe.vgg_face, recipe.face, half=half)
    return FinetuneTask(recipe, content, learnt, judged, judges=judges, device=device)


class FinetuneTask(Task):
    """A texture GAN that learns one person."""

    kind = FAMILY.name

    def __init__(
        self,
        recipe: FinetuneRecipe,
        content: dict[str, Any],
        learnt: PersonPictures,
        judged: PersonPictures,
        *,
        judges: Judges | None,
        device: torch.device,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self._recipe, self._device, self._judges = recipe, device, judges
        self._tuning = Finetuning(
            recipe.base, content, learnt, judges=judges, learning_rate=recipe.learning_rate,
            device=device, precision=recipe.precision,
        )  # fmt: skip
        references = np.zeros(1, np.int64)
        self._judged = make_batch(judged.pictures, judged.landmarks, references).to(device)
        self._fingerprint = {
            what: {person.identity: digest_item(person.pictures, person.landmarks)}
            for what, person in (
                ("pictures to train on", learnt),
                ("pictures to choose by", judged),
            )
        }
        self._sheet: Picture | None = None

    def recipe(self) -> dict[str, Any]:
        judges = {} if self._judges is None else self._judges.describe()
        return to_plain(self._recipe) | judges

    def fingerprint(self) -> Fingerprint:
        return self._fingerprint

    def count_steps(self, epoch: int) -> int:
        return len(self._tuning.draw_order(self._recipe.seed, epoch))

    def draw_batches(self, epoch: int, first: int) -> Iterator[npt.NDArray[np.int64]]:
        return iter(self._tuning.draw_order(self._recipe.seed, epoch)[first:])

    def step(self, batch: npt.NDArray[np.int64]) -> Metrics:
        self._tuning.step(batch)
        return self._tuning.losses.read_figures() | {"items": float(len(batch))}

    def validate(self) -> Metrics:
        """`score` and `psnr` of pictures that are not learnt from, see `summarise_errors`."""
        generator, batch = self._tuning.networks["generator"], self._tuning.batch
        shown = np.linspace(0, len(self._judged.target) - 1, SHOWN).round().astype(np.int64)
        errors, columns = list[Any](), list[Picture]()
        with torch.no_grad():
            texture = generator.embed(batch.pictures, batch.rasters)  # type: ignore[operator]
            for number in range(len(self._judged.target)):
                raster = self._judged.raster[number : number + 1]
                target = self._judged.target[number : number + 1]
                pred = generator.draw(raster, texture)  # type: ignore[operator]
                errors.append(((pred - target) * 127.5).cpu().numpy())
                if number in shown:
                    rows = [to_pictures(row)[0] for row in (raster, pred, target)]
                    columns.append(np.concatenate(rows))
        self._sheet = np.concatenate(columns, axis=1)
        return summarise_errors(errors)

    def draw_sheet(self) -> Picture | None:
        return self._sheet

    def state_dict(self) -> dict[str, Any]:
        networks, optimisers = self._tuning.networks, self._tuning.optimisers
        parts = {name: network.state_dict() for name, network in networks.items()}
        return parts | {"optimisers": {n: o.state_dict() for n, o in optimisers.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, network in self._tuning.networks.items():
            network.load_state_dict(state[name])
            self._tuning.optimisers[name].load_state_dict(state["optimisers"][name])

    def export(self) -> dict[str, Any]:
        return self._tuning.export()
