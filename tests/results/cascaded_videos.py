"""Whole videos of the cascaded system: whom they look like, what memory they take, one person's.

Legend: n pictures of a person, K features of a face.
"""

import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from tests.results.cascaded_blinks import PEOPLE, find_blinks_run, load_people, train_blinks
from tests.results.cascaded_faces import train_base
from tests.results.cascaded_runs import train_speech
from tests.results.cascaded_speech import load_others
from tests.results.cascaded_subjects import SUBJECTS, TEST, ingest_s1, ingest_subjects
from tests.results.people import find_real, make_sample_video
from tests.results.setup import Setup, Table
from tests.tones import write_wav
from toolkit.clock import SAMPLE_RATE
from toolkit.errors import ToolkitError
from toolkit.media.audio import read_sound
from toolkit.preview.render import choose_frames
from zoo.data.portraits import measure_portraits
from zoo.evaluation.figures import pick, write_sheet
from zoo.evaluation.films import read_film
from zoo.evaluation.identity import describe_faces
from zoo.evaluation.recognition import explain_recogniser, open_recogniser
from zoo.metrics.series import average_known
from zoo.models.t_gan.options import MAML, FinetuneRecipe
from zoo.models.t_gan.recipe import train_t_gan
from zoo.speaking.cascaded import CascadedVideo, synthesize_cascaded
from zoo.speaking.cascaded_options import CascadedSettings
from zoo.training.loop import BEST, LAST

Floats = npt.NDArray[np.float64]

SAMPLE = "a generated person"

SECONDS = (10, 120)
"""Of sound, whose videos' memory is compared."""

COLUMNS = 6
"""Pictures in a row of the sheet."""

_CHILD = """
import sys
from pathlib import Path
from zoo.cli import main

main(sys.argv[1:], standalone_mode=False)
peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print("peak", int(peak) / 1024)  # ru_maxrss would be the parent's
"""


@dataclass(frozen=True, kw_only=True)
class Models:
    """Checkpoints of the three networks; `t_gan` is the base."""

    l_gan: Path
    blink_gan: Path
    t_gan: Path


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """A person who says what is heard in their own video.

    Attributes:
        source: their video.
        models: with the t-GAN that was fine-tuned to them.
        video: what was made.
    """

    source: Path
    models: Models
    video: CascadedVideo


def run_videos(setup: Setup, workers: int) -> dict[str, Table]:
    """A generated person and held-out ones say what they are heard saying in their videos."""
    models = train_models(setup, workers)
    sources = {SAMPLE: make_sample_video(setup)} | list_talkers(setup)
    spoken = {name: speak(setup, models, source) for name, source in sources.items()}
    target = setup.figures / "results_cascaded_sheet.png"
    write_sheet(show(spoken[SAMPLE]), target)
    caption = "A generated person: pictures that are learnt from, and what is drawn from speech"
    return {
        "cascaded-videos": Table(list(tabulate_likeness(spoken))),
        "cascaded-videos-memory": Table([measure_peak(spoken[SAMPLE], s) for s in SECONDS]),
        "cascaded-sheet": Table(figure=target, caption=caption),
    }


def train_models(setup: Setup, workers: int) -> Models:
    """Those of the other steps, of people but GRID's or of all."""
    dataset = ingest_subjects(setup, workers)
    corpus = load_others(dataset, ingest_s1(setup))
    trained, chosen_by, _ = load_people(setup, workers)
    train_blinks(setup, PEOPLE, trained, chosen_by)
    return Models(
        l_gan=train_speech(
            setup, dataset, corpus.trained, corpus.chosen_by, "speech-people-l-gan",
            epochs=setup.people_epochs,
        ),
        blink_gan=find_blinks_run(setup, PEOPLE) / LAST,
        t_gan=train_base(setup, dataset, MAML),
    )  # fmt: skip


def list_talkers(setup: Setup) -> dict[str, Path]:
    """Some of those who are tested on and are heard, and a video of each."""
    names = [n for n, subject in SUBJECTS.items() if subject.part == TEST and subject.talks]
    return {name: find_real(SUBJECTS[name].videos[0]) for name in names[: setup.few_people]}


def speak(setup: Setup, models: Models, source: Path) -> Spoken:
    """Fine-tune to who is seen in a video, and let them say what is heard there."""
    folder = setup.out / "videos" / source.stem
    if not (folder / BEST).is_file():
        recipe = FinetuneRecipe(
            base=models.t_gan, images=str(source), device="cpu", epochs=setup.video_epochs
        )
        train_t_gan(recipe, folder, resume=(folder / LAST).is_file())
    own = dataclasses.replace(models, t_gan=folder / BEST)
    settings = CascadedSettings(audio=source, device="cpu", **vars(own))
    print(source.name, file=sys.stderr, flush=True)
    return Spoken(
        source=source, models=own, video=synthesize_cascaded(settings, folder / "out.mp4")
    )


# --- likeness -----------------------------------------------------------------------------------


def tabulate_likeness(spoken: Mapping[str, Spoken]) -> Iterator[dict[str, Any]]:
    """Mean distances of features: of the drawn to their own pictures, of these, to the others'."""
    if reason := explain_recogniser():
        print(reason, file=sys.stderr)
        yield from ({"who": name, "frames": s.video.num_frames} for name, s in spoken.items())
        return
    real = {name: describe(s.source) for name, s in spoken.items()}
    for name, of in spoken.items():
        try:
            drawn = describe(of.video.path)
        except ToolkitError as error:  # no face is seen in what was drawn
            print(error, file=sys.stderr)
            drawn = np.empty((0, real[name].shape[1]))
        others = np.concatenate([features for other, features in real.items() if other != name])
        yield {
            "who": name,
            "frames": of.video.num_frames,
            "drawn to own": average_known(cdist(drawn, real[name]).ravel()),
            "own among themselves": average_pairs(real[name]),
            "own to other people's": float(cdist(real[name], others).mean()),
        }


def describe(video: Path) -> Floats:
    """Features (n, K) of the faces in a video, as the recogniser sees them."""
    portraits = measure_portraits(video)
    return describe_faces(open_recogniser(), portraits.pictures, portraits.meshes)


def average_pairs(features: Floats) -> float:
    """Mean distance between two of (n, K)."""
    return float(cdist(features, features)[~np.eye(len(features), dtype=bool)].mean())


# --- memory, and a sheet ------------------------------------------------------------------------


def measure_peak(spoken: Spoken, seconds: int) -> dict[str, Any]:
    """Largest memory of `zoo synthesize` with so much of a person's sound, over and over."""
    files = vars(spoken.models).items()
    models = [word for name, path in files for word in (f"--{name.replace('_', '-')}", str(path))]
    with tempfile.TemporaryDirectory(prefix="ttk-") as scratch:
        pcm = np.resize(read_sound(spoken.source), seconds * SAMPLE_RATE)
        audio = write_wav(Path(scratch) / "speech.wav", pcm)
        command = [sys.executable, "-c", _CHILD, "synthesize", "--system", "cascaded"]
        command += ["--audio", str(audio), *models, "--device", "cpu"]
        command += ["--out", str(Path(scratch) / "out.mp4")]
        done = subprocess.run(
            command, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, text=True,
            stdout=subprocess.PIPE,
        )  # fmt: skip
    peak = float(done.stdout.split("peak")[-1])
    return {"sound, s": seconds, "memory, at most, MiB": peak}


def show(spoken: Spoken) -> dict[str, list[npt.NDArray[np.uint8]]]:
    """Rows of a contact sheet: pictures of the source, and frames of what was made."""
    portraits, video = measure_portraits(spoken.source), spoken.video
    frames = choose_frames(video.num_frames, COLUMNS)
    seen = choose_frames(len(portraits), COLUMNS)
    return {
        "generated video": [portraits.pictures[k] for k in seen],
        "drawn from its speech, the head still": pick(
            read_film(video.path, video.num_frames), frames
        ),
    }
