"""StyleHEAT on generated people: figures that show no real face."""

from pathlib import Path

from PIL import Image

from tests.results.setup import Setup, Table
from tests.results.styleheat_runs import Runs
from toolkit.preview.render import choose_frames
from toolkit.sample import SampleOptions, make_samples
from zoo.data.aligned import align_portrait
from zoo.data.picture_files import Picture
from zoo.evaluation.figures import write_sheet
from zoo.evaluation.films import read_film
from zoo.speaking.styleheat import synthesize_styleheat
from zoo.speaking.styleheat_options import StyleHEATSettings
from zoo.stylegan.layers_study import draw_levels, list_levels
from zoo.stylegan.prior import open_prior
from zoo.training.pictures import to_tensor

COLUMNS, PICTURE = 8, 128

SECONDS = 4.0
"""Of the generated people's videos."""


def run_layers(setup: Setup, workers: int) -> dict[str, Table]:
    """Maps of each size alone are turned, for two generated people."""
    prior = open_prior(Runs(setup, workers).prior)
    rows = list[Picture]()
    names = ["drawn", *(f"{side} px" for side in list_levels(prior.generator))]
    for video in make_people(setup):
        image = save_first(video, setup.out / "styleheat-figures")
        styles = prior.encoder(to_tensor(align_portrait(image, prior.size).picture[None]))
        rows.append(draw_levels(prior.generator, styles))
    side = prior.size
    columns = {
        name: [row[:, k * side : (k + 1) * side] for row in rows] for k, name in enumerate(names)
    }
    target = setup.figures / "results_styleheat_layers.png"
    write_sheet(columns, target, PICTURE)
    caption = "Two generated people by w+ alone; then the maps of one size turned by 12°"
    return {"styleheat-layers": Table(figure=target, caption=caption)}


def run_sheet(setup: Setup, workers: int) -> dict[str, Table]:
    """One generated person moved by the other's video, by its sound, and by both."""
    model = Runs(setup, workers).spoken
    source, driver = make_people(setup)
    folder = setup.out / "styleheat-figures"
    image = save_first(source, folder)
    rows = {"driver": draw_evenly(driver, round(SECONDS * SampleOptions().fps))}
    given: dict[str, dict[str, Path]] = {
        "by its video": {"video": driver},
        "by its sound": {"audio": driver},
        "pose of its video, lips by its sound": {"video": driver, "audio": driver},
    }
    for name, files in given.items():
        settings = StyleHEATSettings(image=image, model=model, device="cpu", **files)
        made = synthesize_styleheat(settings, folder / "out.mp4")
        rows[name] = draw_evenly(made.path, made.num_frames)
    target = setup.figures / "results_styleheat_sheet.png"
    write_sheet(rows, target, PICTURE)
    caption = "A generated person, moved by another's video, sound, and both"
    return {"styleheat-sheet": Table(figure=target, caption=caption)}


def make_people(setup: Setup) -> list[Path]:
    """Videos of two generated people."""
    folder = setup.out / "styleheat-samples"
    options = SampleOptions(identities=2, clips=1, seconds=SECONDS, workers=1)
    if not (folder / "truth.json").is_file():
        make_samples(folder, options)
    return sorted(folder.glob("*/*.mp4"))


def save_first(video: Path, folder: Path) -> Path:
    """A video's first frame as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / f"{video.stem}.png"
    Image.fromarray(next(read_film(video, 1))).save(image)
    return image


def draw_evenly(video: Path, num_frames: int) -> list[Picture]:
    """Evenly spaced frames."""
    frames = list(read_film(video, num_frames))
    return [frames[t] for t in choose_frames(len(frames), COLUMNS)]
