"""Films beside what is real: by hand-computed cases."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from toolkit.errors import ToolkitError
from toolkit.media.encode import write_video
from zoo.evaluation import films
from zoo.evaluation.films import measure_edges, measure_likeness, read_film
from zoo.evaluation.videos import Shown

SIZE = 96


def make_grey(level: int, size: int = SIZE) -> np.ndarray:
    return np.full((size, size, 3), level, np.uint8)


def test_a_film_is_read_in_order_and_has_as_many_frames_as_its_clip(tmp_path: Path) -> None:
    """Levels 20, 60, 100, 140, to the encoder's few levels."""
    path = tmp_path / "a.mp4"
    levels = [20, 60, 100, 140]
    write_video(path, map(make_grey, levels), fps=30)
    means = [picture.mean() for picture in read_film(path, 4)]
    np.testing.assert_allclose(means, levels, atol=3)
    for number in (3, 5):
        with pytest.raises(ToolkitError, match=f"4 frames, not the clip's {number}"):
            list(read_film(path, number))


def test_edges_are_measured_in_judged_frames_and_within_the_square(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A person of 20 × 20 px in the middle of a square of 60 that is 10 levels too bright.

    The ring lies wholly in the square: 10 levels. Across the border, with its 5 px left out, 10;
    beside it 0. What is wrong outside of the square counts nowhere.
    """
    person = np.zeros((SIZE, SIZE), np.float32)
    person[38:58, 38:58] = 1
    monkeypatch.setattr(films, "measure_matte", lambda picture: person)
    drawn = make_grey(100)
    drawn[18:78, 18:78] = 110
    drawn[:, 95] = 255
    taller = np.pad(drawn, ((0, 1), (0, 0), (0, 0)))  # as an encoder makes an odd height even
    shown = [make_grey(255), taller, drawn, make_grey(255)]
    found = measure_edges(shown, [make_grey(100)] * 4, (18, 18, 78, 78), slice(1, 3), 4)
    np.testing.assert_allclose(found["ring"], [10, 10])
    np.testing.assert_allclose(found["across"], [10, 10])
    np.testing.assert_allclose(found["beside"], [0, 0])


class Mean(torch.nn.Module):
    """Stands in for the recogniser: the mean of red, for every feature."""

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        return faces[:, :1].mean(dim=(2, 3)).repeat(1, 128)


def test_faces_are_compared_in_judged_frames_with_the_stored_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Red is 0 in the stored frames and 51 levels, 0.4 of −1 to 1, in the drawn ones.

    Each of 128 features is 0.4 away: √128 · 0.4. One of the two judged frames has no face.
    """
    monkeypatch.setattr(films, "open_recogniser", Mean)
    meshes = np.random.default_rng(0).uniform(30, 60, (4, 478, 3))
    meshes[2] = np.nan
    shown = Shown(meshes, slice(2, 4), {}, np.zeros((SIZE, SIZE)))
    clip = SimpleNamespace(num_frames=4, inside=None, read_frame=lambda t: make_grey(0))
    red = make_grey(0)
    red[..., 0] = 51
    distances = measure_likeness([make_grey(255), make_grey(255), red, red], clip, shown, shown)  # type: ignore[arg-type]
    assert np.isnan(distances[0])
    np.testing.assert_allclose(distances[1:], 0.4 * np.sqrt(128), rtol=1e-5)
