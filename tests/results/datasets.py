"""Synthetic datasets with a split in which every part has everyone, and speech to make them of."""

import shutil
from pathlib import Path

from tests.accuracy.real import find_data
from tests.results.setup import MissingDataError, Setup
from toolkit.dataset.manifest import has_split, read_table, write_split
from zoo.synthetic.dataset import make_dataset
from zoo.synthetic.options import SyntheticOptions

SHARES = (5, 1, 3)
"""Of an identity's clips, in their order: train, val, test; nine clips in turn."""


def find_speech() -> Path:
    """Folder of transcribed speech; MissingDataError where there is none."""
    data = find_data()
    if data is None or not (data / "speech" / "transcripts.csv").is_file():
        raise MissingDataError("no real speech (TTK_REAL_DATA)")
    return data / "speech"


def make_synthetic(setup: Setup, variant: str) -> Path:
    """The dataset of a variant, made from real speech and divided, unless it is there."""
    folder = setup.out / f"synthetic-{variant}"
    if not (folder.is_dir() and has_split(folder)):
        speech = find_speech()
        shutil.rmtree(folder, ignore_errors=True)  # what a killed run left
        options = SyntheticOptions(
            variant=variant,
            clips=setup.clips,
            seconds=setup.seconds,
            identities=setup.identities,
            speech=speech,
        )
        make_dataset(folder, options)
        divide(folder)
    return folder


def divide(dataset: Path) -> None:
    """Write a split: of everyone's clips, five are trained on, one is chosen by, three test.

    Of fewer than nine, one is chosen by, one tests, and the rest is trained on.
    """
    rows = []
    for _, clips in read_table(dataset, "clips").groupby("identity"):
        ids = clips.sort_values("source")["clip_id"].tolist()
        cycle = [part for part, share in zip(("train", "val", "test"), SHARES, strict=True)
                 for _ in range(share)]  # fmt: skip
        if len(ids) < len(cycle):
            cycle = ["val", "test", *["train"] * len(ids)]
        rows += [
            {"clip_id": clip, "split": cycle[k % len(cycle)], "by": "clip", "ratio": "5-1-3",
             "seed": 0}
            for k, clip in enumerate(ids)
        ]  # fmt: skip
    write_split(dataset, rows)
