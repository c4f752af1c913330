"""Train a judge of lip-sync: `zoo train syncnet`."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from zoo.data.fingerprint import Fingerprint, digest_item
from zoo.data.order import Batches, share_order
from zoo.data.talking import TICK_SAMPLES, TalkingClip, load_talking_clips
from zoo.metrics.sync import REACH, SHIFTS, SyncScore, measure_distances, measure_moved
from zoo.models.syncnet import FAMILY
from zoo.models.syncnet.batches import (
    TICKS,
    WINDOWS,
    Stretches,
    SyncBatch,
    SyncClip,
    cut_faces,
    cut_sound,
)
from zoo.models.syncnet.losses import matching_loss
from zoo.models.syncnet.model import SyncJudge
from zoo.models.syncnet.networks import create_syncnet
from zoo.models.syncnet.options import SyncNetRecipe
from zoo.models.syncnet.presets import PRESETS
from zoo.training.distributed import Distributed
from zoo.training.loop import Metrics, Setting, Task, trainer
from zoo.training.networks import copy_to_cpu
from zoo.training.options import to_plain
from zoo.training.precision import autocast

FIRST_SCALE = 5.0
"""Of the squared distances, at first: from −10 for embeddings that agree to 10."""

JUDGED_CLIPS, JUDGED_TICKS = 40, 250
"""The most that an epoch is judged by: clips, evenly spaced, and the first ten seconds of each."""


@trainer
def train_syncnet(recipe: SyncNetRecipe, setting: Setting) -> "SyncNetTask":
    """Train on the training part of a dataset's split, choose on the validation part.

    Raises:
        ToolkitError: no split, no clip long enough, or no face crops; and see `train`.
    """
    trained, chosen_by = (load_talking_clips(recipe.shards, split=p) for p in ("train", "val"))
    return SyncNetTask(recipe, trained, chosen_by, distributed=setting.distributed)


class SyncNetTask(Task):
    """A judge under training."""

    kind = FAMILY.name

    def __init__(
        self,
        recipe: SyncNetRecipe,
        trained: Sequence[TalkingClip],
        chosen_by: Sequence[TalkingClip],
        *,
        distributed: Distributed,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self._recipe, self._distributed, self._device = recipe, distributed, distributed.device
        preset = PRESETS[recipe.preset]
        spread = np.linspace(0, len(chosen_by) - 1, min(len(chosen_by), JUDGED_CLIPS)).round()
        self._clips = [SyncClip(clip, preset) for clip in trained]
        self._chosen_by = [SyncClip(chosen_by[int(k)], preset) for k in spread]
        self._fingerprint = {
            "clips to train on": _take_digests(self._clips),
            "clips to choose by": _take_digests(self._chosen_by),
        }
        self._network = create_syncnet(recipe.preset).to(self._device)
        self._log_scale = torch.tensor(FIRST_SCALE, device=self._device).log().requires_grad_()
        self._optimiser = torch.optim.AdamW(
            [*self._network.parameters(), self._log_scale], recipe.learning_rate
        )

    def recipe(self) -> dict[str, Any]:
        return to_plain(self._recipe)

    def fingerprint(self) -> Fingerprint:
        return self._fingerprint

    def count_steps(self, epoch: int) -> int:
        stretches = sum(map(len, self._clips)) // TICKS
        return max(1, stretches // self._recipe.batch_size)

    def draw_batches(self, epoch: int, first: int) -> Iterator[SyncBatch]:
        """The batches of an epoch, whose learning rate is set."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._recipe.rate(epoch)
        size = self._recipe.batch_size
        num = self.count_steps(epoch) * size
        stretches = Stretches(self._clips, num, seed=self._recipe.seed, epoch=epoch)
        order = share_order(
            np.arange(num),
            size,
            rank=self._distributed.rank,
            world_size=self._distributed.size,
            what="stretches",
        )
        return Batches(stretches, order).load(first, self._recipe.workers)

    def step(self, batch: SyncBatch) -> Metrics:
        self._network.train()
        on_device = batch.to(self._device)
        faces = torch.cat([cut_faces(stretch) for stretch in on_device.faces])
        sound = torch.cat([cut_sound(rows)[:WINDOWS] for rows in on_device.sound])
        with autocast(self._device, self._recipe.precision, self._network):
            embedded = self._network.embed_faces(faces), self._network.embed_sound(sound)
        lips, sounds = (v.float().reshape(-1, WINDOWS, v.shape[1]) for v in embedded)
        loss = matching_loss(lips, sounds, self._log_scale.exp())
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        assert self._log_scale.grad is not None
        self._distributed.average_gradients(self._network)
        self._distributed.average([self._log_scale.grad])
        self._optimiser.step()
        scale = float(self._log_scale.detach().exp())
        num_windows = len(faces) * self._distributed.size
        return {"loss": loss.item(), "scale": scale, "items": float(num_windows)}

    def validate(self) -> Metrics:
        """How well lips of unseen clips are matched.

        `score`: cross-entropy of single windows of having the least distance within a frame of no
        shift, as recordings are often a frame out of step; chance has 2.34. `found`: share of clips
        and of shifts put into them that are found within a frame. `confidence`: mean of the clips'.
        """
        judge = SyncJudge(self._network, self._recipe.preset)
        scale = float(self._log_scale.detach().exp())
        losses, found, confidences = list[float](), list[bool](), list[float]()
        for clip in self._chosen_by:
            last = min(len(clip), JUDGED_TICKS)
            faces = judge.embed_faces(clip.read_faces(0, last))
            sound = judge.embed_sound(clip.clip.pcm[: last * TICK_SAMPLES])
            distances = measure_distances(faces, sound)
            scores = _measure_all(faces, sound)
            found += [abs(score.offset + shift) <= 1 for shift, score in scores.items()]
            confidences.append(scores[0].confidence)
            whole = torch.from_numpy(distances[~np.isnan(distances).any(axis=1)])
            log_shares = torch.log_softmax(-scale * whole.square(), dim=1)
            near = log_shares[:, REACH - 1 : REACH + 2].logsumexp(dim=1)
            losses.append(-float(near.mean()))
        return {
            "score": float(np.mean(losses)),
            "found": float(np.mean(found)),
            "confidence": float(np.mean(confidences)),
        }

    def state_dict(self) -> dict[str, Any]:
        return {
            "network": self._network.state_dict(),
            "log_scale": self._log_scale.detach().clone(),
            "optimiser": self._optimiser.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._network.load_state_dict(state["network"])
        self._log_scale.data.copy_(state["log_scale"])
        self._optimiser.load_state_dict(state["optimiser"])

    def export(self) -> dict[str, Any]:
        identities = sorted({clip.clip.identity for clip in self._clips})
        return {
            "preset": self._recipe.preset,
            "network": copy_to_cpu(self._network),
            "trained_on": identities,
        }


def _take_digests(clips: Sequence[SyncClip]) -> dict[str, str]:
    return {c.clip.id: digest_item(c.clip.identity, c.clip.pcm, c.places) for c in clips}


def _measure_all(faces: npt.ArrayLike, sound: npt.ArrayLike) -> dict[int, SyncScore]:
    """Shift -> figures, of those that a clip is long enough for."""
    longest = (len(np.asarray(faces)) - 1) - 2 * REACH
    return {shift: measure_moved(faces, sound, shift) for shift in SHIFTS if abs(shift) <= longest}
