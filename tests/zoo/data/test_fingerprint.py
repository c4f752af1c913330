"""Digests of what a run is trained on, and the words for what of it is not the same."""

import numpy as np

from zoo.data.fingerprint import describe_changes, digest_item


def test_a_digest_knows_values_types_and_shapes_apart() -> None:
    values = np.arange(6, dtype=np.float32)
    others = (values + 1, values.astype(np.float64), values.reshape(2, 3), values[:5])
    digests = {digest_item("ann", 1, array) for array in (values, *others)}
    digests |= {digest_item("bob", 1, values), digest_item("ann", 2, values), digest_item("ann")}
    assert len(digests) == 8
    assert digest_item("ann", 1, values.copy()) in digests


def test_a_view_has_the_digest_of_its_copy() -> None:
    table = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert digest_item(table[:, 1]) == digest_item(np.array([1, 5, 9], np.float32))


def test_what_changed_is_said_by_part_with_a_few_names() -> None:
    before = {"train": {"a": "1", "b": "2"}, "val": {"c": "3"}, "gone": {"x": "1"}}
    assert describe_changes(before, before) == ""
    now = {"train": {"b": "9", **dict.fromkeys("defg", "4")}, "val": {"c": "3"}, "new": {}}
    assert describe_changes(before, now) == (
        "train: 1 gone (a), 4 new (d, e, f, …), 1 with other content (b)"
    )
    both = {"train": {"a": "1"}, "val": {"b": "2"}}
    assert describe_changes(before, both) == "train: 1 gone (b); val: 1 gone (c), 1 new (b)"
