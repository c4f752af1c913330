"""A generated person speaks from one picture: pictures that show no real face."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tests.results.atvg_runs import Corpus, list_corpora, train_faces, train_sound
from tests.results.cascaded_speech import OTHERS
from tests.results.setup import Setup, Table
from toolkit.preview.render import choose_frames
from toolkit.sample import SampleOptions, make_samples
from zoo.data.picture_files import Picture
from zoo.evaluation.figures import write_sheet
from zoo.evaluation.films import read_film
from zoo.speaking.atvg import AtvgVideo, synthesize_atvg
from zoo.speaking.atvg_options import AtvgSettings

COLUMNS, PICTURE = 8, 128

SECONDS = 6.0
"""Of the generated person's video, whose sound is spoken."""


def run_sheet(setup: Setup, workers: int) -> dict[str, Table]:
    """Frames of a generated person, α and motion, and of a painting of them."""
    networks = train_both(setup, workers)
    video = make_person(setup)
    image = setup.out / "atvg-sheet" / "face.png"
    image.parent.mkdir(parents=True, exist_ok=True)
    first = next(read_film(video, 1))
    rows = dict[str, Sequence[Picture]]()
    for name, picture in (("photo", first), ("painting", paint(first))):
        Image.fromarray(picture).save(image)
        shown = list(speak(image, video, networks))
        frames = choose_frames(len(shown), COLUMNS)
        parts = [np.split(shown[t], 3, axis=1) for t in frames]
        rows |= {
            f"{name}: frames": [frame for frame, _, _ in parts],
            f"{name}: attention": [alpha for _, alpha, _ in parts],
            f"{name}: motion": [motion for _, _, motion in parts],
        }
    target = setup.figures / "results_atvg_sheet.png"
    write_sheet(rows, target, PICTURE)
    caption = "A generated person speaks from one picture, and from a painting of it"
    return {"atvg-sheet": Table(figure=target, caption=caption)}


def train_both(setup: Setup, workers: int) -> tuple[Path, Path]:
    """AT-net and VG-net of other people: trained unless they are there."""
    corpus: Corpus = list_corpora(setup, workers, talks=True)[OTHERS]
    trained = corpus.trained.load_sound()
    chosen_by = corpus.chosen_by.load_sound(mean_shape=trained.mean_shape)
    at_net = train_sound(setup, corpus, trained, chosen_by)
    faces = list_corpora(setup, workers, talks=False)[OTHERS]
    return at_net, train_faces(setup, faces)


def make_person(setup: Setup) -> Path:
    """A video of a generated person."""
    folder = setup.out / "atvg-samples"
    options = SampleOptions(identities=1, clips=1, seconds=SECONDS, workers=1)
    if not (folder / "truth.json").is_file():
        make_samples(folder, options)
    (video,) = folder.glob("*/*.mp4")
    return video


def paint(picture: Picture) -> Picture:
    """As if by a brush: areas of one colour between soft edges."""
    return np.asarray(cv2.stylization(picture, sigma_s=60, sigma_r=0.45), np.uint8)


def speak(image: Path, audio: Path, networks: tuple[Path, Path]) -> Iterator[Picture]:
    """Frames, attention and motion (H, 3H, 3), as `zoo synthesize --attention` writes them."""
    at_net, vg_net = networks
    beside = image.with_name("attention.mp4")
    settings = AtvgSettings(
        audio=audio, image=image, at_net=at_net, vg_net=vg_net, attention=beside, device="cpu"
    )
    made: AtvgVideo = synthesize_atvg(settings, image.with_name("out.mp4"))
    return read_film(beside, made.num_frames)
