"""How well an acoustic model recognises speech, read greedily."""

from collections.abc import Iterable, Iterator

from toolkit.clock import SAMPLE_RATE
from toolkit.features.deepspeech import DeepSpeechNetwork, decode_greedy, infer_scores
from toolkit.media.audio import read_sound
from zoo.data.transcripts import Utterance
from zoo.metrics.error_rates import Transcription


def transcribe_utterances(
    network: DeepSpeechNetwork, utterances: Iterable[Utterance]
) -> Iterator[Transcription]:
    """One after the other.

    Raises:
        ToolkitError: a recording cannot be read.
    """
    for utterance in utterances:
        pcm = read_sound(utterance.path)
        yield Transcription(
            corpus=utterance.corpus,
            target=utterance.text,
            pred=decode_greedy(infer_scores(network, pcm)),
            seconds=len(pcm) / SAMPLE_RATE,
            in_train=utterance.in_train,
        )
