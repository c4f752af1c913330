"""Names and clips whose distances contradict each other, in small tables of vectors."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from zoo.evaluation import suspects
from zoo.evaluation.suspects import find_suspects


def find(people: dict[str, list[float]], limit: float = 0.6) -> suspects.Suspects:
    """Of names whose clips lie at places on a line."""
    names = [name for name, places in people.items() for _ in places]
    places = [place for group in people.values() for place in group]
    return find_suspects(names, np.array([[place, 0.0] for place in places]), limit)


def test_names_are_compared_by_the_median_over_pairs_of_clips() -> None:
    """Distances of 0.1, 0.4 and 5: the median is below the limit, the mean is not."""
    found = find({"cid": [9.0], "ann": [0.0], "bea": [0.1, 0.4, 5.0]})
    (pair,) = found.alike
    assert pair.identities == ("ann", "bea")
    assert (pair.distance, pair.num_pairs) == (pytest.approx(0.4), 3)


def test_a_clip_far_from_its_names_others_is_found_with_the_name_that_it_is_like() -> None:
    found = find({"ann": [0.0, 0.2, 5.1], "bea": [5.0, 5.3], "cid": [-3.0]})
    (clip,) = found.distant
    assert (clip.clip, clip.identity, clip.nearest) == (2, "ann", "bea")
    assert clip.distance == pytest.approx(4.9)  # the lower of 5.1 and 4.9
    assert clip.nearest_distance == pytest.approx(0.15)
    assert found.alike == ()


def test_of_one_name_alone_clips_are_compared_with_one_another() -> None:
    found = find({"ann": [0.0, 0.1, 0.2, 2.0]})
    assert [(clip.clip, clip.nearest, clip.nearest_distance) for clip in found.distant] == [
        (3, "", None)
    ]
    assert found.between == ()


def test_suspects_are_sorted_by_distance_and_the_limit_is_no_part_of_it() -> None:
    found = find(
        {"ann": [0.0], "bea": [0.5], "cid": [0.75], "dan": [9.0], "eve": [10.0, 20.0]}, 0.5
    )
    assert [pair.identities for pair in found.alike] == [("bea", "cid")]
    assert [clip.clip for clip in found.distant] == [4, 5]


def test_shares_are_those_of_all_pairs() -> None:
    """Between: 0.1 to 1. Within: nine pairs are 0.1 apart, eight 0.2, seven 0.3, …, of 45."""
    found = find({"ann": [0.0], "bea": [place / 10 for place in range(1, 11)]})
    assert found.between == (0.1, 0.5, 1.0)
    assert found.within[1] == pytest.approx(0.3)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 30)), min_size=2, max_size=12))
def test_blocks_find_what_the_whole_table_has(clips: list[tuple[str, int]]) -> None:
    """Three columns: the place, which decides, and two that hardly count; blocks of one row."""
    rng = np.random.default_rng(0)
    faces = np.column_stack(
        [[place / 10 for _, place in clips], rng.normal(0, 1e-3, (len(clips), 2))]
    )
    names, table = [name for name, _ in clips], cdist(faces, faces)
    where = {
        name: [k for k, each in enumerate(names) if each == name] for name in sorted(set(names))
    }
    limit = 0.55
    alike = {
        (a, b): np.median(table[np.ix_(where[a], where[b])])
        for a, b in itertools.combinations(where, 2)
    }
    own = {
        k: sorted(table[k, j] for j in where[name] if j != k)[(len(where[name]) - 2) // 2]
        for k, name in enumerate(names)
        if len(where[name]) > 1
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suspects, "_BLOCK", 1)
        found = find_suspects(names, faces, limit)
    assert {pair.identities: pytest.approx(pair.distance) for pair in found.alike} == {
        pair: distance for pair, distance in alike.items() if distance < limit
    }
    assert {clip.clip: pytest.approx(clip.distance) for clip in found.distant} == {
        k: distance for k, distance in own.items() if distance > limit
    }
