"""What `--blink-rate` may be; imports nothing, for it is read with every `--help`."""

import math

PERSON, MODEL = "person", "model"
"""Rates that are no number: the person's, where a model has learnt it, and the model's as it is."""

MOST = 60.0
"""Highest number of blinks a minute that can be asked for: they must not run into one another."""

BLINK_HELP = (
    f"How often the eyes close: {PERSON}, as that person does, where the model was fine-tuned; "
    f"{MODEL}, as it makes AU45; or blinks a minute, 0 for none, at most {MOST:g}."
)


def refuse_plain_rate(text: str) -> None:
    """ValueError for a number of blinks beside --plain."""
    if text not in (PERSON, MODEL):
        raise ValueError(
            f"--plain shows AU45 as the model makes it: leave it or --blink-rate {text} away"
        )


def parse_blink_rate(text: str) -> float | str:
    """`person`, `model`, or a number of blinks a minute; ValueError for anything else."""
    if text in (PERSON, MODEL):
        return text
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 <= rate <= MOST:
        raise ValueError(
            f"--blink-rate {text!r}: choose {PERSON}, {MODEL} or a number from 0 to {MOST:g}"
        )
    return rate
