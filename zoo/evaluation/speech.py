"""How well an acoustic model recognises speech, read greedily, and how well a judge does."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE
from toolkit.features.deepspeech import DeepSpeechNetwork, decode_greedy, infer_scores
from toolkit.features.whisper import Whisper
from toolkit.media.audio import read_sound
from zoo.data.spelling import spell_out
from zoo.data.transcripts import Utterance, normalise_text
from zoo.metrics.error_rates import Transcription

Pcm = npt.NDArray[np.int16]


def transcribe_utterances(
    network: DeepSpeechNetwork, utterances: Iterable[Utterance]
) -> Iterator[Transcription]:
    """One after the other; those whose transcript cannot be compared are not listened to.

    Raises:
        ToolkitError: a recording cannot be read.
    """
    return _transcribe(lambda pcm: decode_greedy(infer_scores(network, pcm)), utterances)


def judge_utterances(judge: Whisper, utterances: Iterable[Utterance]) -> Iterator[Transcription]:
    """The same by a judge, whose text is brought to the words that transcripts hold.

    Raises:
        ToolkitError: a recording cannot be read.
    """
    return _transcribe(lambda pcm: read_words(judge, pcm), utterances)


def read_words(judge: Whisper, pcm: Pcm) -> str:
    """What a judge reads from (S,) samples, in a–z, apostrophe and single spaces."""
    return normalise_text(spell_out(judge.transcribe(pcm)))


def _transcribe(
    read: Callable[[Pcm], str], utterances: Iterable[Utterance]
) -> Iterator[Transcription]:
    for utterance in utterances:
        pcm = np.zeros(0, np.int16) if utterance.doubt else read_sound(utterance.path)
        yield Transcription(
            corpus=utterance.corpus,
            target=utterance.text,
            pred="" if utterance.doubt else read(pcm),
            seconds=len(pcm) / SAMPLE_RATE,
            in_train=utterance.in_train,
            doubt=utterance.doubt,
        )
