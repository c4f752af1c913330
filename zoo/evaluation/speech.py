"""How well an acoustic model recognises speech, read greedily."""

from collections.abc import Iterable, Iterator

import numpy as np

from toolkit.clock import SAMPLE_RATE
from toolkit.features.deepspeech import DeepSpeechNetwork, decode_greedy, infer_scores
from toolkit.media.audio import read_sound
from zoo.data.transcripts import Utterance
from zoo.metrics.error_rates import Transcription


def transcribe_utterances(
    network: DeepSpeechNetwork, utterances: Iterable[Utterance]
) -> Iterator[Transcription]:
    """One after the other; those whose transcript cannot be compared are not listened to.

    Raises:
        ToolkitError: a recording cannot be read.
    """
    for utterance in utterances:
        pcm = np.zeros(0, np.int16) if utterance.doubt else read_sound(utterance.path)
        yield Transcription(
            corpus=utterance.corpus,
            target=utterance.text,
            pred="" if utterance.doubt else decode_greedy(infer_scores(network, pcm)),
            seconds=len(pcm) / SAMPLE_RATE,
            in_train=utterance.in_train,
            doubt=utterance.doubt,
        )
