"""Train the small acoustic model by connectionist temporal classification (CTC).

What a run makes of its folder: `best.safetensors`, float16 weights that `ttk` and `zoo evaluate
deepspeech` take, beside what every run has.
"""

import copy
import functools
import hashlib
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from toolkit.clock import SAMPLE_RATE
from toolkit.errors import ToolkitError
from toolkit.features.deepspeech import (
    DeepSpeechNetwork,
    decode_greedy,
    infer_scores,
    load_network,
)
from toolkit.schema import DEEPSPEECH_SYMBOLS
from zoo.data.fingerprint import Fingerprint, digest_item
from zoo.data.transcripts import SpeechStore, Utterance, read_transcripts, store_utterances
from zoo.metrics.error_rates import ALL, Transcription, measure_errors
from zoo.models.deepspeech import FAMILY
from zoo.models.deepspeech.augment import Augmenter, Rng, Wave, to_wave
from zoo.models.deepspeech.bands import NUM_BANDS, WEIGHT
from zoo.models.deepspeech.chains import SCALING, Batch, EpochChains, string_recordings
from zoo.models.deepspeech.model import WEIGHTS, export_weights
from zoo.models.deepspeech.options import DeepSpeechRecipe
from zoo.models.deepspeech.preparation import Preparation
from zoo.models.deepspeech.teacher import Say
from zoo.training.averaging import RunningMean
from zoo.training.distributed import Distributed
from zoo.training.loop import BEST, Metrics, Setting, Task, trainer
from zoo.training.networks import copy_to_cpu
from zoo.training.options import to_plain
from zoo.training.precision import autocast

LICENCES = (
    "CC BY 4.0", "CC-BY-4.0", "CC0", "public domain", "Apache-2.0", "free for commercial", "own",
)  # fmt: skip
"""How the licence of a row that is trained on begins, in any case; `own`: one's own recordings."""

NUM_REASONS = 3
"""Why rows are not trained on: so many are named."""

VALIDATION = 0.05
"""Share of the training rows that is kept to choose by; no sentence of it is trained on."""


@trainer
def train_deepspeech(recipe: DeepSpeechRecipe, setting: Setting) -> "DeepSpeechTask":
    """Train, and write `best.safetensors` whenever an epoch was the best so far.

    Raises:
        ToolkitError: the speech cannot be read or holds no row to train on; and see `train`.
    """
    return DeepSpeechTask(recipe, setting.out, distributed=setting.distributed, say=setting.say)


TEACHER_WEIGHT = 4.0
"""Of the Kullback–Leibler divergence from the teacher's probabilities, a frame; a letter has four
frames, so that a letter's counts as much as its loss by connectionist temporal classification."""

SPARSE = 8
"""Outputs a letter has in a chain with few of them; in speech it has four."""

FULL_STRENGTH = 6
"""Epochs over which noise, rooms and masks grow to their full strength: an untrained network
learns nothing from noisy speech. One that begins with weights is augmented fully from the start."""

KEEP = 0.997
"""Of the running mean of weights at a step."""

SETTLING_BATCHES = 24
"""Batches by which statistics of batch normalisation are computed anew before each validation."""


class DeepSpeechTask(Task):
    """The acoustic model under training; what is kept is a running mean of its weights."""

    kind = FAMILY.name

    def __init__(
        self,
        recipe: DeepSpeechRecipe,
        out: Path,
        *,
        distributed: Distributed,
        say: Say = lambda text: None,
    ) -> None:
        self._recipe, self._distributed, device = recipe, distributed, distributed.device
        torch.manual_seed(recipe.seed)
        self._network = _make_network(recipe).to(device)  # refused before minutes of preparation
        given = read_transcripts(recipe.speech)
        rows = choose_rows(given)
        kept = find_validation(rows)
        trained = [row for row in rows if row.text not in kept]
        self._validation = [row for row in rows if row.text in kept]
        unused = describe_unused(given)
        if not trained or not self._validation:
            raise ToolkitError(
                f"{recipe.speech}: too few rows of the split train to train on: {len(rows)}{unused}"
            )
        if unused:
            warnings.warn(f"{recipe.speech}: {len(rows)} rows are trained on{unused}", stacklevel=2)
        avoid = kept | {row.text for row in given if row.split == "test"}
        with distributed.first_alone():  # it may take hours, and fills the folder
            self._sounds = store_utterances(out / "validation.s16", self._validation)
            recordings = store_utterances(out / "speech.s16", trained)
            preparation = Preparation(recipe, out, say, is_done=not distributed.is_first)
            self._materials = preparation.prepare(
                trained, recordings, (self._sounds, self._validation), avoid
            )
        self._fingerprint = {
            "recordings to train on": _take_fingerprint(trained, recordings),
            "recordings to choose by": _take_fingerprint(self._validation, self._sounds),
        }
        babble = functools.partial(_draw_babble, self._materials[0].speech)
        self._augmenter = Augmenter(babble, recipe.seed)
        self._mean = RunningMean(self._network, KEEP)
        self._to_bands = nn.Linear(len(DEEPSPEECH_SYMBOLS), NUM_BANDS).to(device)
        self._total_steps = recipe.epochs * self.count_steps(1)
        parameters = [*self._network.parameters(), *self._to_bands.parameters()]
        self._optimiser = torch.optim.AdamW(
            parameters, recipe.learning_rate, betas=(0.9, 0.98), weight_decay=1e-2
        )

    def recipe(self) -> dict[str, Any]:
        initial = self._recipe.initial and str(self._recipe.initial.resolve())
        text = [str(path.resolve()) for path in self._recipe.text]
        speech = str(self._recipe.speech.resolve())
        sounds = [str(path.resolve()) for path in self._recipe.sounds]
        whole = {"text": text, "initial": initial, "speech": speech, "sounds": sounds}
        return to_plain(self._recipe) | whole

    def fingerprint(self) -> Fingerprint:
        return self._fingerprint

    def publish(self, out: Path) -> None:
        export_weights(out / BEST, out / WEIGHTS, self._recipe.delay)

    def count_steps(self, epoch: int) -> int:
        return len(self._make_epoch(epoch))

    def draw_batches(self, epoch: int, first: int) -> Iterator[Batch]:
        return self._make_epoch(epoch).load(first, self._recipe.workers)

    def step(self, batch: Batch) -> Metrics:
        rate = self._learning_rate()
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._network.train()
        device = next(self._network.parameters()).device
        with autocast(device, self._recipe.precision, self._network):
            scores = self._network(batch.spectrogram.to(device))
        losses = self._measure_losses(scores.float(), batch)
        self._optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        self._distributed.average_gradients(self._network, self._to_bands)
        norm = nn.utils.clip_grad_norm_(self._network.parameters(), 2.0)
        self._optimiser.step()
        self._mean.update()
        seconds = batch.spectrogram.shape[0] * batch.spectrogram.shape[2] / 100
        seconds *= self._distributed.size
        figures = {name: value.item() for name, value in losses.items()}
        return figures | {"norm": norm.item(), "rate": rate, "items": seconds}

    def _measure_losses(self, scores: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        """Of (B, K, 29) scores: of the letters, a letter; and of the bands, weighted.

        Chains with few letters or none count as if they had one in `SPARSE` outputs: the loss of a
        chain without a word would be the sum over its outputs, a hundred times that of speech.
        """
        lengths = torch.full((scores.shape[0],), scores.shape[1])
        letters = nn.functional.ctc_loss(
            scores.transpose(0, 1),
            batch.targets.to(scores.device),
            lengths,
            batch.lengths,
            blank=len(DEEPSPEECH_SYMBOLS) - 1,
            reduction="none",
            zero_infinity=True,
        )
        letters = letters / batch.lengths.clamp(min=scores.shape[1] // SPARSE).to(letters.device)
        bands = nn.functional.mse_loss(self._to_bands(scores), batch.bands.to(scores.device))
        losses = {"loss": letters.mean(), "loss bands": WEIGHT * bands}
        if batch.posteriors is not None:
            posteriors = batch.posteriors.to(scores.device)
            distance = nn.functional.kl_div(scores, posteriors, reduction="none").sum(2).mean()
            losses["loss teacher"] = TEACHER_WEIGHT * distance
        return losses

    def validate(self) -> Metrics:
        """Greedy character error rate of each corpus; `score` is that of all rows."""
        self._settle()
        network = copy.deepcopy(self._mean.network).cpu()
        rates = measure_errors(self._transcribe(network))
        figures = {f"cer {rate.corpus}": rate.cer for rate in rates if rate.cer is not None}
        return {"score": figures.pop(f"cer {ALL}"), **figures}

    def _transcribe(self, network: DeepSpeechNetwork) -> Iterator[Transcription]:
        for number, utterance in enumerate(self._validation):
            pcm = self._sounds.read(number)
            yield Transcription(
                corpus=utterance.corpus,
                target=utterance.text,
                pred=decode_greedy(infer_scores(network, pcm)),
                seconds=len(pcm) / SAMPLE_RATE,
                in_train=utterance.in_train,
            )

    def state_dict(self) -> dict[str, Any]:
        return {
            "network": self._network.state_dict(),
            "mean": self._mean.state_dict(),
            "bands": self._to_bands.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._network.load_state_dict(state["network"])
        self._mean.load_state_dict(state["mean"])
        self._to_bands.load_state_dict(state["bands"])
        self._optimiser.load_state_dict(state["optimiser"])

    def export(self) -> dict[str, Any]:
        return {"network": copy_to_cpu(self._mean.network)}

    def _make_epoch(self, epoch: int) -> EpochChains:
        return EpochChains(
            self._materials,
            epoch=epoch,
            seed=self._recipe.seed,
            batch_seconds=self._recipe.batch_seconds,
            augmenter=self._augmenter,
            strength=1.0 if self._recipe.initial else min(1.0, epoch / FULL_STRENGTH),
            rank=self._distributed.rank,
            world_size=self._distributed.size,
        )

    def _learning_rate(self) -> float:
        """Up over 200 steps, level, and down to nothing over the last half of the epochs."""
        left = (self._total_steps - self._mean.num_updates) / (self._total_steps / 2)
        share = min(1.0, (self._mean.num_updates + 1) / 200, max(left, 0.01))
        return self._recipe.learning_rate * share

    def _settle(self) -> None:
        """Statistics of recordings as they are.

        By training's chains, most of which are synthesised and all of which have pauses, LJ Speech
        had a character error rate of 0.31 instead of 0.18.
        """
        recordings = string_recordings(self._materials[0].speech, self._recipe.seed)
        device = next(self._mean.network.parameters()).device
        self._mean.settle(
            recordings, lambda network, sound: network(sound.to(device)), SETTLING_BATCHES
        )


def _draw_babble(speech: SpeechStore, rng: Rng) -> Wave:
    return to_wave(speech.read(int(rng.integers(len(speech)))))


def _make_network(recipe: DeepSpeechRecipe) -> DeepSpeechNetwork:
    """A new network, or one with the weights to begin with."""
    network = DeepSpeechNetwork(recipe.sizes, dropout=recipe.dropout)
    network.scaling = SCALING
    if recipe.initial is not None:
        known = load_network(recipe.initial)
        if known.sizes != recipe.sizes:
            raise ToolkitError(f"{recipe.initial}: is {known.sizes}, not {recipe.sizes}")
        if known.scaling != SCALING:
            raise ToolkitError(f"{recipe.initial}: was trained on spectrograms of another scale")
        network.load_state_dict(known.state_dict())
    return network


def choose_rows(rows: Sequence[Utterance]) -> list[Utterance]:
    """Rows to train and choose on: split train, a licence of `LICENCES`, a text without doubt."""
    return [row for row in rows if row.split == "train" and row.text and not explain_unused(row)]


def explain_unused(row: Utterance) -> str:
    """Why a row of the split train is not trained on; empty where it is."""
    if not row.licence.casefold().startswith(tuple(map(str.casefold, LICENCES))):
        return f"the licence {row.licence!r}" if row.licence else "no licence"
    return row.doubt


def describe_unused(rows: Sequence[Utterance]) -> str:
    """What is not trained on of the split train, and what to do about it; empty for nothing."""
    reasons = Counter(explain_unused(row) for row in rows if row.split == "train")
    del reasons[""]
    if not reasons:
        return ""
    parts = [f"{count} for {reason}" for reason, count in reasons.most_common(NUM_REASONS)]
    if rest := reasons.total() - sum(count for _, count in reasons.most_common(NUM_REASONS)):
        parts.append(f"{rest} others")
    advice = f": a licence must begin with {', '.join(LICENCES)}" if "licence" in str(parts) else ""
    return f"; not used: {', '.join(parts)}{advice}"


def find_validation(rows: Sequence[Utterance]) -> set[str]:
    """Texts kept to choose by: `VALIDATION` of those there are, by their digest."""
    limit = int(VALIDATION * 2**32)
    texts = {row.text for row in rows}
    return {t for t in texts if int(hashlib.sha256(t.encode()).hexdigest()[:8], 16) < limit}


def _take_fingerprint(rows: Sequence[Utterance], sounds: SpeechStore) -> dict[str, str]:
    lengths = sounds.count_samples().tolist()
    pairs = zip(rows, lengths, strict=True)
    return {str(row.path): digest_item(row.text, row.corpus, n) for row, n in pairs}
