"""The teacher: a small network that reads letters from the states of Whisper's encoder.

It is trained first, on the transcribed recordings, in the folder `teacher` of the run; its
probabilities of every sound that the student hears are then stored beside the run's sounds.

Legend: B utterances, S samples, K states (50 a second), L characters, C = 384.
"""

import copy
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import nn

from toolkit.features.deepspeech import decode_greedy
from toolkit.features.whisper import WIDTH, Whisper
from toolkit.schema import DEEPSPEECH_SYMBOLS
from toolkit.storage import write_whole
from zoo.data.fingerprint import Fingerprint
from zoo.data.order import Loadable
from zoo.data.rows import RowStore, store_rows
from zoo.data.transcripts import Pcm, SpeechStore, Utterance, encode_text
from zoo.metrics.error_rates import ALL, Transcription, measure_errors
from zoo.training.checkpoint import load_checkpoint
from zoo.training.loop import BEST, LAST, Metrics, Task, train
from zoo.training.networks import copy_to_cpu
from zoo.training.precision import autocast

KIND = "deepspeech-teacher"

WEIGHTS = "teacher.safetensors"

BATCH_STATES = 4000
"""States of a batch, padding included: 80 s."""

_MASK, _MASK_EVERY = 12, 150
"""States that a mask hides at most, and how many there are for one mask."""

Say = Callable[[str], None]
Scores = npt.NDArray[np.float32]


class TeacherHead(nn.Module):
    """States to log-probabilities: three convolutions over time, each with what went in added."""

    def __init__(self, width: int = 256, dropout: float = 0.2) -> None:
        """`width` is the number of channels."""
        super().__init__()
        self.enter = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, width))
        self.dropout = nn.Dropout(dropout)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width, 5, padding=2) for _ in range(3))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.leave = nn.Linear(width, len(DEEPSPEECH_SYMBOLS))

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, K, 29) log-softmax of (B, K, 384) states; (B, K) mask: 1 where there is one."""
        x = self.dropout(self.enter(states))
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = x * mask[..., None]
            y = convolution(x.transpose(1, 2)).transpose(1, 2)
            x = x + self.dropout(torch.relu(norm(y)))
        scores: torch.Tensor = self.leave(x).log_softmax(-1)
        return scores


@dataclass(frozen=True)
class StateBatch:
    """Utterances padded to one length: states (B, K, 384), mask (B, K), texts and lengths (B,)."""

    states: torch.Tensor
    mask: torch.Tensor
    targets: torch.Tensor
    lengths: torch.Tensor


class EpochStates(Loadable[StateBatch]):
    """The batches of one epoch: utterances of about one length, with some moments hidden."""

    def __init__(self, states: RowStore, texts: Sequence[str], seed: Sequence[int]) -> None:
        """`seed` of the epoch."""
        self._states, self._texts, self._seed = states, texts, [*seed]
        rng = np.random.default_rng([*self._seed, 0])
        lengths = np.diff(states.offsets)
        order = np.argsort(lengths * rng.uniform(0.9, 1.1, len(lengths)))
        self._groups = list[list[int]]([[]])
        for k in order.tolist():
            size = len(self._groups[-1]) + 1
            if size > 1 and size * lengths[[*self._groups[-1], k]].max() > BATCH_STATES:
                self._groups.append([])
            self._groups[-1].append(k)
        rng.shuffle(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, index: int) -> StateBatch:
        rng = np.random.default_rng([*self._seed, 1, index])
        group = self._groups[index]
        parts = [self._hide(self._states.read(k).astype(np.float32), rng) for k in group]
        longest = max(map(len, parts))
        padded = [np.pad(part, ((0, longest - len(part)), (0, 0))) for part in parts]
        counts = np.array(list(map(len, parts)))
        texts = [encode_text(self._texts[k]) for k in group]
        return StateBatch(
            states=torch.from_numpy(np.stack(padded)),
            mask=torch.from_numpy((np.arange(longest) < counts[:, None]).astype(np.float32)),
            targets=torch.from_numpy(np.concatenate(texts)),
            lengths=torch.tensor([len(text) for text in texts]),
        )

    @staticmethod
    def _hide(states: Scores, rng: np.random.Generator) -> Scores:
        for _ in range(1 + len(states) // _MASK_EVERY):
            first = int(rng.integers(len(states)))
            states[first : first + int(rng.integers(_MASK + 1))] = 0
        return states


@dataclass(kw_only=True)
class TeacherTask(Task):
    """The head under training.

    Attributes:
        states: of the recordings, with their `texts`.
        texts: what is said in them.
        validation: states of `rows`.
        rows: recordings to choose by.
        source: label of the encoder.
        epochs: how many there will be.
        seed: of weights and order.
        precision: one of `PRECISIONS`.
        learning_rate: after a warm-up; falls to nothing over the last half.
    """

    states: RowStore
    texts: Sequence[str]
    validation: RowStore
    rows: Sequence[Utterance]
    source: str
    epochs: int
    seed: int
    precision: str = "fp32"
    learning_rate: float = 1e-3
    kind: str = field(default=KIND, init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)
        self._head = TeacherHead()
        self._optimiser = torch.optim.AdamW(
            self._head.parameters(), self.learning_rate, weight_decay=1e-2
        )
        self._num_updates = 0
        self._total = self.epochs * self.count_steps(0)

    def recipe(self) -> dict[str, Any]:
        return {"encoder": self.source, "seed": self.seed, "precision": self.precision}

    def fingerprint(self) -> Fingerprint:
        return {"recordings": {"to train on": self.states.key, "to choose by": self.validation.key}}

    def count_steps(self, epoch: int) -> int:
        return len(EpochStates(self.states, self.texts, [self.seed, epoch]))

    def draw_batches(self, epoch: int, first: int) -> Iterator[StateBatch]:
        return EpochStates(self.states, self.texts, [self.seed, epoch]).load(first)

    def step(self, batch: StateBatch) -> Metrics:
        left = (self._total - self._num_updates) / (self._total / 2)
        share = min(1.0, (self._num_updates + 1) / 100, max(left, 0.01))
        for group in self._optimiser.param_groups:
            group["lr"] = self.learning_rate * share
        self._head.train()
        with autocast(torch.device("cpu"), self.precision, self._head):
            scores = self._head(batch.states, batch.mask)
        scores = scores.float()
        loss = nn.functional.ctc_loss(
            scores.transpose(0, 1),
            batch.targets,
            batch.mask.sum(1).long(),
            batch.lengths,
            blank=len(DEEPSPEECH_SYMBOLS) - 1,
            zero_infinity=True,
        )
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._head.parameters(), 2.0)
        self._optimiser.step()
        self._num_updates += 1
        return {"loss": loss.item(), "items": float(batch.mask.sum()) / 50}

    def validate(self) -> Metrics:
        """Greedy character error rate of each corpus; `score` is that of all rows."""
        head = copy.deepcopy(self._head).eval()
        items = (
            Transcription(
                corpus=row.corpus,
                target=row.text,
                pred=decode_greedy(compute_log_probabilities(head, self.validation.read(number))),
                seconds=len(self.validation.read(number)) / 50,
                in_train=row.in_train,
            )
            for number, row in enumerate(self.rows)
        )
        rates = measure_errors(items)
        figures = {f"cer {rate.corpus}": rate.cer for rate in rates if rate.cer is not None}
        return {"score": figures.pop(f"cer {ALL}"), **figures}

    def state_dict(self) -> dict[str, Any]:
        return {
            "head": self._head.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "num_updates": self._num_updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._head.load_state_dict(state["head"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._num_updates = state["num_updates"]

    def export(self) -> dict[str, Any]:
        return {"head": copy_to_cpu(self._head)}

    def publish(self, out: Path) -> None:
        tensors = load_checkpoint(out / BEST, KIND)["model"]["head"]
        with write_whole(out / WEIGHTS) as temporary:
            temporary.write_bytes(save(tensors, {"encoder": self.source}))


def compute_log_probabilities(head: TeacherHead, states: npt.NDArray[Any]) -> Scores:
    """(K, 29) float32 log-softmax of (K, 384) states."""
    x = torch.from_numpy(np.asarray(states, np.float32))[None]
    with torch.inference_mode():
        scores: Scores = head(x, torch.ones(x.shape[:2]))[0].numpy()
    return scores


class Teacher:
    """Encoder and trained head."""

    def __init__(self, whisper: Whisper, weights: Path) -> None:
        """Open the head that `TeacherTask` left."""
        from toolkit.weights import read_safetensors

        self._whisper, self._head = whisper, TeacherHead()
        self._head.load_state_dict(read_safetensors(weights)[0])
        self._head.eval()
        self.digest = hashlib.sha256(weights.read_bytes() + whisper.sha256.encode()).hexdigest()

    def compute_scores(self, pcm: Pcm) -> Scores:
        """(1 + S // 320, 29) float32 log-probabilities of (S,) int16 samples."""
        return compute_log_probabilities(self._head, self._whisper.encode(pcm))

    def store_posteriors(self, speech: SpeechStore, path: Path) -> RowStore:
        """Probabilities, float16, of each utterance of a store, beside it in a file `path`."""
        numbers = range(len(speech))
        rows = (np.exp(self.compute_scores(np.asarray(speech.read(k)))) for k in numbers)
        key = f"{self.digest} {speech.key}"
        return store_rows(path, key, (part.astype(np.float16) for part in rows))


def store_states(whisper: Whisper, speech: SpeechStore, path: Path) -> RowStore:
    """The encoder's states of each utterance of a store, in a file `path`."""
    parts = (whisper.encode(np.asarray(speech.read(k))) for k in range(len(speech)))
    return store_rows(path, f"{whisper.sha256} {speech.key}", parts)


def train_teacher(
    whisper: Whisper,
    speech: SpeechStore,
    validation: tuple[SpeechStore, Sequence[Utterance]],
    out: Path,
    *,
    epochs: int,
    seed: int,
    precision: str,
    say: Say,
) -> Teacher:
    """Train the head in the folder `out`, or go on where it stopped; nothing where it is done.

    Args:
        whisper: its encoder.
        speech: recordings to train on.
        validation: recordings to choose by, and their rows.
        out: a folder of its own.
        epochs: over the recordings.
        seed: of weights and order.
        precision: of the training.
        say: is told how far it is.
    """
    say(f"teacher: states of {len(speech)} recordings by {whisper.label}")
    task = TeacherTask(
        states=store_states(whisper, speech, out / "states.f16"),
        texts=speech.texts,
        validation=store_states(whisper, validation[0], out / "validation.f16"),
        rows=validation[1],
        source=whisper.label,
        epochs=epochs,
        seed=seed,
        precision=precision,
    )

    def tell(step: Any) -> None:
        if step.validation:
            say(f"teacher: epoch {step.epoch + 1}/{epochs}: {step.validation['score']:.4f}")

    goes_on = (out / LAST).is_file()
    train(task, out, epochs=epochs, seed=seed, resume=goes_on, on_step=tell)
    return Teacher(whisper, out / WEIGHTS)
