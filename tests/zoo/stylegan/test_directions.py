"""Directions of a linear generator whose truth is known, and their file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from zoo.stylegan.directions import (
    Directions,
    fit_directions,
    open_directions,
    read_amounts,
)

NUM_STYLES, NUM_PICTURES = 2, 600
NAMES = ("age", "beard", "smile")


class Linear:
    """w+ of faces: attributes, of which two go together, and who it is, each by a vector of its
    own; a picture is w+ seen through a matrix.
    """

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        size = NUM_STYLES * 512
        self.of_attribute = rng.standard_normal((3, size))
        self.of_identity = rng.standard_normal((8, size))
        values = rng.standard_normal((NUM_PICTURES, 3)) @ [[1, 0.7, 0], [0, 0.7, 0], [0, 0, 1]]
        self.attributes = values * [10, 1, 0.2] + [40, 0, 0.5]
        self.identities = rng.standard_normal((NUM_PICTURES, 8))
        styles = values @ self.of_attribute + self.identities @ self.of_identity
        self.styles = (styles + 0.1 * rng.standard_normal(styles.shape)).reshape(
            -1, NUM_STYLES, 512
        )
        self._read = np.linalg.pinv(np.concatenate([self.of_attribute, self.of_identity]))

    def look(self, styles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Attributes (n, 3), in their units, and who it is (n, 8), of pictures of w+."""
        found = styles.reshape(len(styles), -1) @ self._read
        return found[:, :3] * [10, 1, 0.2] + [40, 0, 0.5], found[:, 3:]


@pytest.fixture(scope="module", name="world")
def _world() -> Linear:
    return Linear()


@pytest.fixture(scope="module", name="directions")
def _directions(world: Linear) -> Directions:
    return fit_directions(world.styles, world.attributes, NAMES, prior="abc")


@pytest.mark.parametrize("name", NAMES)
def test_an_edit_changes_its_attribute_and_nothing_else(
    world: Linear, directions: Directions, name: str
) -> None:
    """By as many deviations as asked for; neither what goes with it, nor who it is."""
    styles = torch.from_numpy(world.styles[:5]).float()
    before, who = world.look(styles.numpy())
    after, who_after = world.look(directions.apply(styles, {name: 1.5}).numpy())
    moved = (after - before) / world.attributes.std(axis=0)
    expected = np.where(np.array(NAMES) == name, 1.5, 0)
    assert np.abs(moved - expected).max() < 0.12
    assert np.abs(who_after - who).max() < 0.25  # of as many standard deviations


def test_edits_add_up_and_none_changes_nothing(world: Linear, directions: Directions) -> None:
    styles = torch.from_numpy(world.styles[:2]).float()
    assert torch.equal(directions.apply(styles, {}), styles)
    both = directions.apply(styles, {"age": 1, "smile": -2})
    apart = directions.apply(directions.apply(styles, {"smile": -2}), {"age": 1})
    torch.testing.assert_close(both, apart)


def test_what_w_tells_of_an_attribute_is_measured_on_others(world: Linear) -> None:
    """Near 1 of those that it holds, near 0 of one that it does not."""
    noise = np.random.default_rng(1).standard_normal((NUM_PICTURES, 1))
    values = np.concatenate([world.attributes, noise], axis=1)
    groups = [f"person{k // 20}" for k in range(NUM_PICTURES)]
    found = fit_directions(world.styles, values, (*NAMES, "noise"), groups=groups)
    assert min(found.correlations[:3]) > 0.9
    assert abs(found.correlations[3]) < 0.25


def test_pictures_without_a_label_are_left_out(world: Linear) -> None:
    values = world.attributes.copy()
    values[::3, 1] = np.nan
    known = np.isfinite(values).all(axis=1)
    found = fit_directions(world.styles, values, NAMES)
    expected = fit_directions(world.styles[known], values[known], NAMES)
    torch.testing.assert_close(found.vectors, expected.vectors)


def test_labels_of_0_and_1_give_the_step_between_the_groups() -> None:
    """One vector apart: a deviation of half of them is half of that."""
    rng = np.random.default_rng(0)
    step, label = rng.standard_normal((1, 512)), np.arange(100) % 2
    styles = label[:, None, None] * step + 0.01 * rng.standard_normal((100, 1, 512))
    found = fit_directions(styles, label[:, None], ["beard"])
    np.testing.assert_allclose(found.vectors[0].numpy(), step / 2, atol=0.05)
    assert found.deviations == (0.5,)


def test_a_file_holds_all_and_is_small(directions: Directions, tmp_path: Path) -> None:
    directions.save(tmp_path / "d.pt")
    found = open_directions(tmp_path / "d.pt", "abc")
    assert torch.equal(found.vectors, directions.vectors)
    for name in ("names", "means", "deviations", "correlations", "prior"):
        assert getattr(found, name) == getattr(directions, name)
    assert (tmp_path / "d.pt").stat().st_size < 100_000


def test_directions_of_another_prior_are_refused(directions: Directions, tmp_path: Path) -> None:
    directions.save(tmp_path / "d.pt")
    with pytest.raises(ToolkitError, match=r"directions of another prior \(abc, not def\)"):
        open_directions(tmp_path / "d.pt", "def")


def test_what_cannot_be_fitted_or_applied_is_refused(world: Linear, directions: Directions) -> None:
    with pytest.raises(ValueError, match="beard is the same in all 600 pictures"):
        fit_directions(world.styles, world.attributes * [1, 0, 1], NAMES)
    with pytest.raises(ValueError, match="9 pictures are too few for 3 directions"):
        fit_directions(world.styles[:9], world.attributes[:9], NAMES)
    with pytest.raises(ValueError, match="no direction 'hair': choose from age, beard, smile"):
        directions.apply(torch.zeros(1, NUM_STYLES, 512), {"hair": 1})
    with pytest.raises(ValueError, match=r"w\+ \(3, 512\), directions \(2, 512\)"):
        directions.apply(torch.zeros(1, 3, 512), {"age": 1})


@given(
    st.dictionaries(
        st.text(alphabet="abcxyz_", min_size=1, max_size=8),
        st.floats(-9, 9, allow_nan=False),
        max_size=4,
    )
)
def test_amounts_are_read_as_they_are_written(amounts: dict[str, float]) -> None:
    assert read_amounts(",".join(f"{name}={value}" for name, value in amounts.items())) == amounts


def test_an_amount_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'age': write an attribute and how many"):
        read_amounts("smile=1,age")
