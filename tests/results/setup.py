"""How large the experiments are, and where they lie: those of the page, or a tiny rehearsal."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import ROOT

PAGE = ROOT / "docs" / "results.md"
CASCADED_PAGE = PAGE.with_name("results-cascaded.md")
ATVG_PAGE = PAGE.with_name("results-atvg.md")
STYLEHEAT_PAGE = PAGE.with_name("results-styleheat.md")
FIGURES = PAGE.parent / "figures"

OUT = Path(os.environ.get("TTK_RESULTS", ROOT / "runs" / "results")).resolve()
"""Where everything lies."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Sizes of the experiments.

    Attributes:
        out: folder of datasets and runs; what is done there is not done again.
        figures: where pictures are written.
        clips: of a synthetic dataset.
        seconds: of a clip.
        identities: people of a synthetic dataset.
        epochs: of a base model on synthetic clips.
        batch_size: windows of a step there: of the paper's 64 a dataset a twentieth as large
            would give the optimiser 830 steps, where the paper's has 40,000.
        learning_rate: of all training of motion; the paper's 1e-4 is for 40,000 steps.
        finetune_epochs: of the fine-tuning to one identity.
        finetune_batch_size: windows of a step there, for the same reason, of the paper's 16.
        style_epochs: of the classifiers of personal style.
        real_epochs: of a base model on real clips, which are few.
        folds: blocks in time of the longest real video.
        minutes: of the motion that seams and drift are measured in.
        holdout: share of a video that no model of its person is trained on.
        person_epochs: of the fine-tuning to the one video of `zoo personalize`.
        renderer_epochs: of a renderer of the longest video, and of the generated person's.
        short_epochs: of a renderer of a short video: about as many steps.
        most_seconds: of a video or recording; what is longer is cut.
        sample_seconds: of the generated person's video.
        sentences: of the step `grid`, at most.
        grid_epochs: of a motion model of all of them; those of a share train as many steps.
        grid_batch_size: windows of a step there.
        sitter_epochs: of a renderer of a short video that stands beside another build's.
        cropped_epochs: of that of a video that was cropped before.
        sentences_drawn: of GRID's speaker, whom such a renderer learns: one minute.
        sentence_epochs: of that renderer.
        judged_epochs: of the woman's renderers by each network of the perceptual term.
        alone_epochs: of the man's renderer beside another build's, whose figures it is asked to
            reach in two thirds of the time.
        base_epochs: of the one from a base, which is asked to reach them in one third.
        subjects: of each part of the cascaded experiments, at most.
        speech_epochs: of an l-GAN of s1's sentences.
        people_epochs: of one of other people's clips, which are fewer.
        curve_epochs: of the short ones.
        texture_epochs: of a t-GAN; MAML and transfer go through as many pictures in one.
        row_epochs: of a t-GAN of eq. 8 alone for Table 3; one of more losses has fewer, which take
            as long.
        row_people: of the held-out people, whom Table 3's rows are judged by.
        untrained_epochs: of one person's t-GAN from random weights, five steps each.
        video_epochs: of the fine-tuning to a person who then speaks: the base knows little.
        blink_epochs: of a blink-GAN.
        blink_minutes: of the track that generated blinks are counted in.
        judged_pictures: of a held-out person.
        few_people: of the table of few pictures and epochs.
        sound_epochs: of an AT-net of s1's sentences.
        sound_people_epochs: of one of other people's clips, which are fewer.
        face_epochs: of a VG-net of s1's sentences, of 400 windows each.
        face_people_epochs: of one of other people's clips.
        ablated_epochs: of those of his sentences that leave something out, and of one that does
            not, beside them.
        judged_sentences: of his, as many as drawn pictures are judged on.
        judged_seconds: of a held-out clip, at most, likewise.
        beside_epochs: of a renderer of one person, beside networks that need few pictures.
        prior_epochs: of StyleHEAT's prior, of 1,000 pictures each.
        lip_epochs: of the judge of lip-sync that StyleHEAT's lips are trained by.
        warp_epochs: of its stage 1a, of 200 steps each.
        lip_warp_epochs: of its stage 1b, likewise.
        mend_epochs: of its stage 2a, likewise.
        lip_mend_epochs: of its stage 2b, likewise.
        reenacted_seconds: of a held-out clip, at most, as StyleHEAT is judged on.
        reenacted: of held-out clips, at most, likewise.
        keep_every: steps between two checkpoints that a renderer's training keeps.
        before: folder with the films and runs of another build; None: there are none.
        renderer_base: checkpoint that trainings from a base begin with; None: the woman's, and in
            `renderers` none.
        weights: of another acoustic model, whose scores stand beside the shipped one's there.
    """

    out: Path
    figures: Path = FIGURES
    clips: int = 45
    seconds: float = 39.7
    identities: int = 5
    epochs: int = 10
    batch_size: int = 8
    learning_rate: float = 1e-3
    finetune_epochs: int = 10
    finetune_batch_size: int = 4
    style_epochs: int = 50
    real_epochs: int = 10
    folds: int = 5
    minutes: float = 10.0
    holdout: float = 0.2
    person_epochs: int = 150
    renderer_epochs: int = 5
    short_epochs: int = 30
    most_seconds: float = math.inf
    sample_seconds: float = 30.0
    sentences: int = 700
    grid_epochs: int = 20
    grid_batch_size: int = 8
    sitter_epochs: int = 15
    sentences_drawn: int = 20
    sentence_epochs: int = 1
    judged_epochs: int = 3
    cropped_epochs: int = 8
    alone_epochs: int = 3
    base_epochs: int = 2
    subjects: int = 99
    speech_epochs: int = 16
    people_epochs: int = 20
    curve_epochs: int = 2
    texture_epochs: int = 16
    row_epochs: int = 4
    row_people: int = 5
    untrained_epochs: int = 200
    video_epochs: int = 100
    blink_epochs: int = 20
    blink_minutes: float = 20.0
    judged_pictures: int = 30
    few_people: int = 3
    sound_epochs: int = 3
    sound_people_epochs: int = 15
    face_epochs: int = 3
    face_people_epochs: int = 2
    ablated_epochs: int = 3
    judged_sentences: int = 12
    judged_seconds: float = 5.0
    beside_epochs: int = 4
    prior_epochs: int = 9
    lip_epochs: int = 20
    warp_epochs: int = 24
    lip_warp_epochs: int = 6
    mend_epochs: int = 2
    lip_mend_epochs: int = 1
    reenacted_seconds: float = 3.0
    reenacted: int = 7
    keep_every: int = 500
    before: Path | None = None
    renderer_base: Path | None = None
    weights: Path | None = None


def make_rehearsal(out: Path) -> Setup:
    """Everything once, as small as it can be: shows that it runs, and nothing else."""
    return Setup(
        out=out,
        figures=out / "figures",
        clips=6,
        seconds=6.0,
        identities=2,
        epochs=1,
        finetune_epochs=1,
        style_epochs=1,
        real_epochs=1,
        folds=4,  # with two, nothing would be left to train on
        minutes=2.1,
        holdout=0.4,
        person_epochs=1,
        renderer_epochs=1,
        short_epochs=1,
        most_seconds=15.0,
        sentences=20,
        grid_epochs=1,
        sitter_epochs=1,
        cropped_epochs=1,
        sentences_drawn=5,
        sentence_epochs=1,
        judged_epochs=1,
        alone_epochs=1,
        base_epochs=1,
        subjects=2,
        speech_epochs=1,
        people_epochs=1,
        curve_epochs=1,
        texture_epochs=1,
        row_epochs=1,
        row_people=1,
        untrained_epochs=2,
        video_epochs=1,
        blink_epochs=1,
        blink_minutes=0.5,
        judged_pictures=3,
        few_people=1,
        sound_epochs=1,
        sound_people_epochs=1,
        face_epochs=1,
        face_people_epochs=1,
        ablated_epochs=1,
        judged_sentences=2,
        judged_seconds=1.0,
        beside_epochs=1,
        prior_epochs=1,
        lip_epochs=1,
        warp_epochs=1,
        lip_warp_epochs=1,
        mend_epochs=1,
        lip_mend_epochs=1,
        reenacted_seconds=1.0,
        reenacted=1,
        keep_every=50,
        sample_seconds=15.0,  # as short as a person can be learnt from, with that holdout
    )


@dataclass(frozen=True)
class Table:
    """What a step has to show under one of the page's markers.

    Attributes:
        rows: column -> value of each row; none where there is only a picture.
        figure: a picture that is drawn already.
        caption: what the picture shows.
    """

    rows: Sequence[Mapping[str, Any]] = ()
    figure: Path | None = None
    caption: str = ""


def divide(value: float, other: float) -> float:
    """A share; NaN of nothing."""
    return value / other if other else math.nan


class MissingDataError(Exception):
    """What a step needs is not here; says what."""
