"""Clips, sources and rejected stretches are found by what a person calls them."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.datasets import FakeClip, make_rejected_row, make_row, write_dataset
from toolkit.dataset.find import (
    choose_clips,
    choose_rejected,
    choose_sources,
    describe_scraps,
    find_clip,
    match_ids,
    part_scraps,
    shorten_ids,
)
from toolkit.dataset.manifest import write_part, write_split
from toolkit.errors import ToolkitError
from toolkit.schema import Reason

CLIPS = [
    FakeClip(identity="ann", source="videos/ann/1.mp4", start_frame=100),
    FakeClip(identity="ann", source="videos/ann/1.mp4"),
    FakeClip(identity="ann", source="videos/ann/2.mp4"),
    FakeClip(identity="bob", source="videos/bob/1.mp4"),
]


def make_rejection(source: str, start: float, duration: float, reason: str) -> dict[str, object]:
    row = make_rejected_row(source, Reason(reason), duration, "j")
    return row | {"start": start, "message": "why"}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two people, three videos, a split without CLIPS[3], and some rejections."""
    write_dataset(tmp_path, {"j": CLIPS}, shards=False)
    rows = [
        {"clip_id": clip.id, "split": part, "by": "source", "ratio": "5-1-4", "seed": 0}
        for clip, part in zip(CLIPS, ("train", "train", "test"), strict=False)
    ]
    write_split(tmp_path, rows)
    rejected = [
        make_rejection("videos/bob/1.mp4", 3.0, 2.0, "no_face"),
        make_rejection("videos/ann/1.mp4", 5.0, 0.1, "no_face"),
        make_rejection("videos/ann/1.mp4", 1.0, 0.2, "too_short"),
        make_rejection("videos/ann/1.mp4", 2.0, 0.0333, "several_faces"),
        make_rejection("videos/ann/2.mp4", 0.0, 0.0, "unreadable"),
    ]
    write_part(tmp_path, "rejected", "j", rejected)
    return tmp_path


def ids(clips: pd.DataFrame) -> list[str]:
    return list(clips["clip_id"])


def test_clips_come_in_order_of_source_and_time_with_their_part(dataset: Path) -> None:
    clips = choose_clips(dataset)
    assert ids(clips) == [CLIPS[1].id, CLIPS[0].id, CLIPS[2].id, CLIPS[3].id]
    assert list(clips["split"]) == ["train", "train", "test", ""]


def test_clips_are_chosen_by_person_part_and_expression(dataset: Path) -> None:
    assert ids(choose_clips(dataset, identity="bob")) == [CLIPS[3].id]
    assert ids(choose_clips(dataset, part="test")) == [CLIPS[2].id]
    assert ids(choose_clips(dataset, where="start_frame > 50")) == [CLIPS[0].id]
    assert ids(choose_clips(dataset, identity="ann", part="train", where="start_frame == 0")) == [
        CLIPS[1].id
    ]


@pytest.mark.parametrize(
    ("text", "number"), [("videos/ann/1.mp4", 2), ("ann/1.mp4", 2), ("1.mp4", 3), ("bob/1.mp4", 1)]
)
def test_clips_are_chosen_by_the_path_of_their_video_or_its_end(
    dataset: Path, text: str, number: int
) -> None:
    assert len(choose_clips(dataset, source=text)) == number


def test_a_video_may_be_named_from_the_folder_one_stands_in(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(dataset / "manifests")
    assert len(choose_clips(dataset, source="../videos/ann/2.mp4")) == 1


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"identity": "eve"}, "no person 'eve': choose from ann, bob"),
        ({"source": "n/1.mp4"}, "no source 'n/1.mp4': choose from videos/ann/1.mp4, "),
        ({"identity": "bob", "part": "train"}, "no clip is left"),
    ],
)
def test_what_is_not_there_is_an_error_that_names_what_is(
    dataset: Path, choice: dict[str, str], words: str
) -> None:
    with pytest.raises(ToolkitError) as failure:
        choose_clips(dataset, **choice)
    assert words in str(failure.value)


def test_a_beginning_that_two_ids_share_names_both(tmp_path: Path) -> None:
    rows = [make_row(FakeClip()) | {"clip_id": name} for name in ("abc1", "abc2", "b")]
    write_part(tmp_path, "clips", "j", rows)
    with pytest.raises(ToolkitError, match=r"several clips' ids begin with 'ab': .*abc1, abc2$"):
        find_clip(tmp_path, "ab")


def test_what_was_turned_down_is_chosen_by_person_video_and_reason(dataset: Path) -> None:
    everything = choose_rejected(dataset)
    assert list(everything["start"]) == [1.0, 2.0, 5.0, 0.0, 3.0]
    assert list(everything["identity"]) == ["ann", "ann", "ann", "ann", "bob"]
    assert list(choose_rejected(dataset, identity="bob")["reason"]) == ["no_face"]
    assert list(choose_rejected(dataset, reason="no_face")["start"]) == [5.0, 3.0]
    assert len(choose_rejected(dataset, source="2.mp4")) == 1
    assert choose_rejected(dataset, reason="silent").empty


def test_scraps_are_counted_and_whole_files_are_none(dataset: Path) -> None:
    """0.1 and 0.03 s are scraps; 0.2 s is not, nor is a file without any length."""
    rows, scraps = part_scraps(choose_rejected(dataset))
    assert list(rows["duration"]) == [0.2, 0.0, 2.0]
    assert scraps == {"no_face": 1, "several_faces": 1}
    assert describe_scraps(scraps).startswith("2 scraps under 0.2 s: ")
    assert describe_scraps({}) == ""


def test_sources_are_chosen_by_person(dataset: Path) -> None:
    assert list(choose_sources(dataset)["source"]) == [
        "videos/ann/1.mp4", "videos/ann/2.mp4", "videos/bob/1.mp4",
    ]  # fmt: skip
    assert list(choose_sources(dataset, identity="bob")["source"]) == ["videos/bob/1.mp4"]


def test_short_ids_are_as_long_as_it_takes_and_at_least_eight_letters() -> None:
    known = ["0123456789ab", "0123456789cd", "f" * 12]
    assert list(shorten_ids(known).values()) == ["0123456789a", "0123456789c", "f" * 8]


def test_clips_of_one_source_are_told_apart_by_their_first_frame(tmp_path: Path) -> None:
    """The digest alone is as long as it need be to tell sources apart."""
    one, other = "60fb69b90000aaaa", "60fb69b90001aaaa"
    known = [f"{one}-000000-00120", f"{one}-000180-00120", f"{other}-000180-00120"]
    short = shorten_ids(known)
    assert list(short.values()) == ["60fb69b90000-0", "60fb69b90000-180", "60fb69b90001"]
    rows = [make_row(FakeClip()) | {"clip_id": name} for name in known]
    write_part(tmp_path, "clips", "j", rows)
    for name, text in short.items():
        assert find_clip(tmp_path, text)[0] == name
    with pytest.raises(ToolkitError, match=r"several .*'60fb69b9-180': .*60fb69b90000-180, "):
        find_clip(tmp_path, "60fb69b9-180")


def test_a_beginning_may_end_within_the_frame_unless_that_frame_begins_a_clip() -> None:
    """`-0` is frame 0; `-0001` no clip's first frame, and so the beginning of 000180."""
    known = ["a" * 16 + "-000000-00120", "a" * 16 + "-000180-00120", "a" * 15 + "b-000180-00120"]
    assert match_ids(known, "a" * 16 + "-0") == known[:1]
    assert match_ids(known, "a" * 16 + "-0001") == known[1:2]
    assert match_ids(known, "a" * 16) == known[:2]
    assert match_ids(known, known[2]) == known[2:]


DIGESTS = st.text("01", min_size=16, max_size=16)
STRETCHES = st.tuples(DIGESTS, st.integers(0, 300), st.integers(1, 2))


@example({("0" * 16, 0, 1), ("0" * 16, 180, 1), ("0" * 15 + "1", 0, 1), ("0" * 15 + "1", 1, 1)})
@given(st.sets(STRETCHES, min_size=1, max_size=40))
def test_a_short_id_fits_one_id_alone(stretches: set[tuple[str, int, int]]) -> None:
    known = [f"{digest}-{start:06d}-{num:05d}" for digest, start, num in stretches]
    for each, short in shorten_ids(known).items():
        assert match_ids(known, short) == [each]
