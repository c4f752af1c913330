"""Events matched one to one: by hand-computed cases."""

import math

from zoo.metrics.events import Tally, match_events


def test_as_many_pairs_as_possible_are_made_and_each_event_is_in_one():
    """1.0 is near to both; were it given to 1.05, 0.95 would be left alone."""
    tally = match_events([0.92, 1.0, 5.0], [0.95, 1.05], 0.1)
    assert (tally.hits, tally.pred, tally.target) == (2, 3, 2)
    assert (tally.precision, tally.recall) == (2 / 3, 1)


def test_what_matches_an_uncertain_event_alone_counts_neither_way():
    tally = match_events([1.0, 3.0], [1.0], 0.1, [3.05, 9.0])
    assert tally == Tally(hits=1, pred=1, target=1)


def test_counts_are_pooled_and_of_nothing_there_is_no_share():
    tally = Tally()
    assert math.isnan(tally.precision)
    tally.add(match_events([], [2.0], 0.1))
    tally.add(match_events([2.0], [2.0], 0.1))
    assert (tally.hits, tally.recall) == (1, 0.5)
