"""Tables of results for the terminal."""

from collections.abc import Sequence

from toolkit.cli.tables import print_table
from zoo.deepspeech.evaluate import ErrorRates


def print_errors(rates: Sequence[ErrorRates]) -> None:
    """A row per corpus; sentences that training has seen in a table of their own."""
    titles = {False: "Sentences that training has not seen", True: "Sentences seen in training"}
    for in_train, title in titles.items():
        rows = [
            [
                rate.corpus,
                str(rate.num_utterances),
                f"{rate.minutes:.1f}",
                f"{rate.cer:.3f}",
                f"{rate.wer:.3f}",
            ]
            for rate in rates
            if rate.in_train == in_train
        ]
        if rows:
            print_table(title, ("corpus", "utterances", "minutes", "CER", "WER"), rows)
