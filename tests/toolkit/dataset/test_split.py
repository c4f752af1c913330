"""Splits: whole groups, shares of frames, nothing moves later, whatever the order of the rows."""

import itertools
import random
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets import FakeClip, write_dataset
from toolkit.cli import main
from toolkit.dataset.manifest import read_table, write_split
from toolkit.dataset.split import PARTS, SplitOptions, assign_groups, parse_ratio, split_dataset
from toolkit.errors import ManifestError, ToolkitError

GROUPS = st.dictionaries(st.text(max_size=4), st.integers(1, 2000), min_size=3, max_size=40)
RATIO = (5, 1, 4)
QUICK = settings(deadline=None, max_examples=60)


def count_excess(frames: dict[str, int], parts: dict[str, str]) -> dict[str, float]:
    """Frames that each part has beyond its share."""
    total = sum(frames.values())
    have = Counter(dict.fromkeys(PARTS, 0))
    for group, part in parts.items():
        have[part] += frames[group]
    return {p: have[p] - total * r / sum(RATIO) for p, r in zip(PARTS, RATIO, strict=True)}


@QUICK
@given(GROUPS, st.integers(0, 5))
def test_every_group_gets_a_part_and_no_part_is_empty(frames: dict[str, int], seed: int) -> None:
    """As many groups as parts are enough."""
    parts = assign_groups(frames, RATIO, seed)
    assert parts.keys() == frames.keys()
    assert set(parts.values()) == set(PARTS)


@QUICK
@given(GROUPS, st.integers(0, 5))
def test_shares_are_met_within_the_largest_group(frames: dict[str, int], seed: int) -> None:
    """No part has more than its share and the largest group; what one has too many others lack."""
    excess = count_excess(frames, assign_groups(frames, RATIO, seed))
    largest = max(frames.values())
    assert max(excess.values()) <= largest
    assert min(excess.values()) >= -2 * largest


@QUICK
@given(st.lists(st.integers(1, 60), min_size=3, max_size=6))
def test_a_handful_of_groups_get_the_best_of_all_splits(lengths: list[int]) -> None:
    """Against every possible split with no part empty: least sum of squares."""
    frames = {str(index): length for index, length in enumerate(lengths)}

    def cost(parts: tuple[str, ...]) -> float:
        return sum(
            e**2 for e in count_excess(frames, dict(zip(frames, parts, strict=True))).values()
        )

    every = (p for p in itertools.product(PARTS, repeat=len(frames)) if set(p) == set(PARTS))
    found = cost(tuple(assign_groups(frames, RATIO, 0)[group] for group in frames))
    assert found == pytest.approx(min(map(cost, every)))


def test_many_groups_of_differing_length_are_met_closely() -> None:
    """Thirty videos of 3 s to 60 s: within a tenth of a point in each of ten draws."""
    for seed in range(10):
        lengths = random.Random(seed).choices(range(90, 1800), k=30)
        frames = {str(index): length for index, length in enumerate(lengths)}
        excess = count_excess(frames, assign_groups(frames, RATIO, seed))
        assert max(map(abs, excess.values())) < 0.001 * sum(lengths)


@QUICK
@given(GROUPS, st.integers(0, 5), st.randoms(use_true_random=False))
def test_the_order_of_groups_changes_nothing(
    frames: dict[str, int], seed: int, order: random.Random
) -> None:
    """Same groups, same seed, same split."""
    names = list(frames)
    order.shuffle(names)
    shuffled = {name: frames[name] for name in names}
    assert assign_groups(shuffled, RATIO, seed) == assign_groups(frames, RATIO, seed)


@QUICK
@given(GROUPS, GROUPS)
def test_groups_added_later_move_nothing(first: dict[str, int], more: dict[str, int]) -> None:
    """Those that have a part keep it."""
    before = assign_groups(first, RATIO, 0)
    after = assign_groups(more | first, RATIO, 0, before)
    assert {group: after[group] for group in before} == before
    assert after.keys() == (more | first).keys()


def test_groups_added_later_bring_the_shares_back_to_the_ratio() -> None:
    """Ten equal groups stand in train already; ten more go where frames are lacking."""
    fixed = {f"a{i}": "train" for i in range(10)}
    frames = dict.fromkeys(fixed, 100) | {f"b{i}": 100 for i in range(10)}
    parts = Counter(assign_groups(frames, RATIO, 0, fixed).values())
    assert parts == {"train": 10, "val": 2, "test": 8}


def test_many_equal_groups_meet_the_ratio_exactly() -> None:
    """A thousand clips of 150 frames: 500, 100, 400."""
    frames = {str(index): 150 for index in range(1000)}
    assert Counter(assign_groups(frames, RATIO, 3).values()) == {
        "train": 500,
        "val": 100,
        "test": 400,
    }


def test_another_seed_is_another_split() -> None:
    """Otherwise the seed would be a dead option."""
    frames = {str(index): 100 + index for index in range(50)}
    assert assign_groups(frames, RATIO, 0) != assign_groups(frames, RATIO, 1)


# --- on a dataset -------------------------------------------------------------------------------


def make_clips(num_sources: int, per_source: int = 3) -> list[FakeClip]:
    """Clips of several sources of two identities; lengths vary."""
    return [
        FakeClip(
            source=f"videos/{s}.mp4",
            identity=("ann", "bob")[s % 2],
            start_frame=500 * c,
            num_frames=90 + 10 * ((s + c) % 5),
        )
        for s in range(num_sources)
        for c in range(per_source)
    ]


def make_dataset(path: Path, clips: list[FakeClip]) -> Path:
    """The manifest alone, clips dealt over three jobs by source."""
    jobs: dict[str, list[FakeClip]] = {}
    for clip in clips:
        jobs.setdefault(f"job{int(clip.source_sha256, 16) % 3}", []).append(clip)
    return write_dataset(path, jobs, shards=False)


def read_split(dataset: Path) -> dict[str, str]:
    """Clip -> part."""
    table = read_table(dataset, "split")
    return dict(zip(table["clip_id"], table["split"], strict=True))


@pytest.mark.parametrize("by", ["source", "identity", "clip"])
def test_no_group_is_ever_parted(tmp_path: Path, by: str) -> None:
    """All clips have a part; those of one group the same."""
    clips = [
        FakeClip(source=f"{s}.mp4", identity=f"person{s % 4}", start_frame=200 * c, num_frames=90)
        for s in range(8)
        for c in range(3)
    ]
    dataset = make_dataset(tmp_path, clips)
    split_dataset(dataset, SplitOptions(by=by))
    split = read_split(dataset)
    assert split.keys() == {clip.id for clip in clips}
    column = {"source": "source_sha256", "identity": "identity", "clip": "id"}[by]
    sides: dict[str, set[str]] = {}
    for clip in clips:
        sides.setdefault(getattr(clip, column), set()).add(split[clip.id])
    assert all(len(parts) == 1 for parts in sides.values())
    assert set(split.values()) == set(PARTS)


def test_the_same_content_under_two_names_is_one_source(tmp_path: Path) -> None:
    """The key is the digest of the file."""
    clips = make_clips(6)
    twin = FakeClip(source="copy.mp4", row={"source_sha256": clips[0].source_sha256})
    dataset = make_dataset(tmp_path, [*clips, twin])
    split_dataset(dataset)
    assert read_split(dataset)[twin.id] == read_split(dataset)[clips[0].id]


def test_the_report_counts_frames_and_names_identities_on_both_sides(tmp_path: Path) -> None:
    """Against sums made here."""
    clips = make_clips(10)
    report = split_dataset(make_dataset(tmp_path, clips))
    split = read_split(tmp_path)
    total = sum(clip.num_frames for clip in clips)
    for part in report.parts:
        mine = [clip for clip in clips if split[clip.id] == part.name]
        assert part.num_clips == len(mine)
        assert part.num_frames == sum(clip.num_frames for clip in mine)
        assert part.minutes == pytest.approx(part.num_frames / 30 / 60)
        assert part.num_identities == len({clip.identity for clip in mine})
        assert part.share == pytest.approx(part.num_frames / total)
    assert [part.asked for part in report.parts] == [0.5, 0.1, 0.4]
    assert report.deviation == max(abs(p.share - p.asked) for p in report.parts)
    assert report.shared_identities == ("ann", "bob")
    assert (report.num_kept, report.num_new) == (0, 30)
    assert report.deviation <= report.largest_group


@pytest.mark.parametrize(
    ("people", "by", "counts", "words"),
    [
        ("abc", "source", (1, 0), "No person of test is in train: test measures how a model does"),
        ("aaa", "source", (1, 1), "Every person of test is in train: test measures new videos"),
        ("aaa", "clip", (1, 1), "Every person of test is in train: test measures new clips"),
    ],
)
def test_what_a_test_on_the_split_means_is_said(
    tmp_path: Path, people: str, by: str, counts: tuple[int, int], words: str
) -> None:
    """Three videos: of three people, or of one."""
    clips = [FakeClip(identity=who, source=f"{k}.mp4") for k, who in enumerate(people)]
    dataset = make_dataset(tmp_path, clips)
    result = CliRunner().invoke(main, ["split", "--by", by, "--data", str(dataset)])
    assert words in result.stdout
    assert f"ttk split --by {'identity' if counts[1] else 'clip'} --reassign." in result.stdout
    assert max(len(line) for line in result.stdout.splitlines() if " test" in line) <= 80
    report = split_dataset(dataset, SplitOptions(by=by))
    assert (report.num_tested, report.num_known) == counts


def test_where_some_of_the_tested_people_are_in_train_they_are_counted(tmp_path: Path) -> None:
    """Ten people of two videos each, five of the videos to train on."""
    clips = [FakeClip(identity=f"p{k % 10}", source=f"{k}.mp4") for k in range(20)]
    report = split_dataset(make_dataset(tmp_path, clips))
    split = read_split(tmp_path)
    sides = {part: {clip.identity for clip in clips if split[clip.id] == part} for part in PARTS}
    assert report.num_tested == len(sides["test"])
    assert report.num_known == len(sides["test"] & sides["train"])
    assert 0 < report.num_known < report.num_tested
    result = CliRunner().invoke(main, ["split", "--data", str(tmp_path)])
    assert f"{report.num_known} of {report.num_tested} people of test are in train" in result.stdout


def list_doubts(folder: Path, people: list[tuple[str, str]]) -> tuple[str, ...]:
    """What the report asks of clips of these (identity, source), as many frames each."""
    clips = [FakeClip(identity=name, source=source, num_frames=9) for name, source in people]
    return split_dataset(make_dataset(folder, clips), SplitOptions(by="identity")).doubts


def test_identities_of_nearly_one_name_in_different_parts_are_reported(tmp_path: Path) -> None:
    """Three in three parts; not those of one part, nor others."""
    people = [(name, f"v/{name}/1.mp4") for name in ("Ann", "ann ", "A-nn")]
    (text,) = list_doubts(tmp_path / "a", people)
    assert text == "Identities of nearly the same name: 'A-nn' / 'Ann' / 'ann '"
    others = [(name, f"v/{name}/1.mp4") for name in ("Ann", "Bob", "Carl", "s1", "s11")]
    assert list_doubts(tmp_path / "b", others) == ()


def test_identities_that_may_be_one_persons_folders_are_reported(tmp_path: Path) -> None:
    """Folders of videos in folders of people; not people in one folder, or in train and test."""
    deep = [(f"v{k}", f"vox/id{k // 3}/v{k}/1.mp4") for k in range(6)]
    (text,) = list_doubts(tmp_path / "a", deep)
    assert text.startswith("Identities of one folder: id")
    assert "--identity folder:2" in text
    flat = [(f"v{k}", f"vox/v{k}/1.mp4") for k in range(6)]
    assert list_doubts(tmp_path / "b", flat) == ()
    parts = [(f"v{k}", f"{'train' if k % 2 else 'test'}/v{k}/1.mp4") for k in range(6)]
    assert list_doubts(tmp_path / "c", parts) == ()
    named = [(f"person {k}", source) for k, (_, source) in enumerate(deep)]
    assert list_doubts(tmp_path / "d", named) == ()


def test_identities_that_look_like_no_people_are_reported(tmp_path: Path) -> None:
    """`level_1` holds everybody."""
    people = [("level_1", "m/1.mp4"), ("Ann", "m/2.mp4"), ("Bob", "m/3.mp4")]
    assert list_doubts(tmp_path, people) == ("Identities that look like no people: level_1",)
    result = CliRunner().invoke(main, ["split", "--by", "identity", "--data", str(tmp_path)])
    assert "One person in several parts? Identities that look like no people" in result.stdout
    assert "No person of test" not in result.stdout


@settings(max_examples=6, deadline=None)
@given(st.integers(3, 8), st.integers(0, 6))
def test_adding_videos_moves_no_clip(
    tmp_path_factory: pytest.TempPathFactory, before: int, added: int
) -> None:
    """New clips of a source that has a part follow it; new sources are dealt out."""
    dataset = tmp_path_factory.mktemp("data")
    split_dataset(make_dataset(dataset, make_clips(before, 2)))
    old = read_split(dataset)
    report = split_dataset(make_dataset(dataset, make_clips(before + added, 3)))
    new = read_split(dataset)
    assert {clip: new[clip] for clip in old} == old
    assert (report.num_kept, report.num_new) == (before * 2, before + 3 * added)
    parts = {(clip.source, new[clip.id]) for clip in make_clips(before + added, 3)}
    assert len(parts) == before + added


def test_reassigning_is_as_if_nothing_had_been_split(tmp_path: Path) -> None:
    """A split made in two steps differs from one made at once; --reassign makes it equal."""
    fresh, grown = tmp_path / "fresh", tmp_path / "grown"
    split_dataset(make_dataset(grown, make_clips(4)))
    make_dataset(grown, make_clips(20))
    split_dataset(make_dataset(fresh, make_clips(20)))
    split_dataset(grown)
    assert read_split(grown) != read_split(fresh)
    split_dataset(grown, SplitOptions(reassign=True))
    assert read_split(grown) == read_split(fresh)


def test_other_options_than_before_need_reassign(tmp_path: Path) -> None:
    """The message names the option."""
    split_dataset(make_dataset(tmp_path, make_clips(8)))
    for options in ({"ratio": "8-1-1"}, {"by": "clip"}, {"seed": 1}, {"where": "num_frames > 90"}):
        with pytest.raises(ToolkitError, match=f"--{next(iter(options))}.*--reassign"):
            split_dataset(tmp_path, SplitOptions(**options))
    split_dataset(tmp_path, SplitOptions(by="clip", reassign=True))
    assert set(read_table(tmp_path, "split")["by"]) == {"clip"}


def test_where_leaves_clips_out(tmp_path: Path) -> None:
    """Only those for which it is true have a part."""
    clips = make_clips(9)
    split_dataset(make_dataset(tmp_path, clips), SplitOptions(where="num_frames >= 110"))
    assert read_split(tmp_path).keys() == {c.id for c in clips if c.num_frames >= 110}


def test_where_clips_are_too_few_as_well_splitting_them_is_no_advice(tmp_path: Path) -> None:
    make_dataset(tmp_path, make_clips(2, 1))
    with pytest.raises(ToolkitError, match=r"cannot make 3 parts: ingest more videos$"):
        split_dataset(tmp_path)


def test_too_few_groups_say_so_and_what_to_do(tmp_path: Path) -> None:
    """Two sources cannot make three parts; their clips can."""
    make_dataset(tmp_path, make_clips(2))
    with pytest.raises(ToolkitError, match=r"2 sources cannot make 3 parts: .*--by clip"):
        split_dataset(tmp_path)
    assert not (tmp_path / "manifests/split.parquet").exists()
    split_dataset(tmp_path, SplitOptions(by="clip"))
    with pytest.raises(ToolkitError, match="2 identities cannot make 3 parts"):
        split_dataset(tmp_path, SplitOptions(by="identity", reassign=True))


def test_a_part_that_would_be_empty_is_refused(tmp_path: Path) -> None:
    """The clips of test have gone since."""
    clips = make_clips(3, 1)
    split_dataset(make_dataset(tmp_path, clips))
    made = {"by": "source", "ratio": "5-1-4", "seed": 0}
    rows = [{"clip_id": clip.id, "split": "train", **made} for clip in clips]
    write_split(tmp_path, rows)
    with pytest.raises(ToolkitError, match=r"val and test would be empty.*--reassign"):
        split_dataset(tmp_path)


def test_a_split_whose_groups_are_parted_is_refused(tmp_path: Path) -> None:
    """Made by hand, or damaged."""
    clips = make_clips(3, 2)
    make_dataset(tmp_path, clips)
    made = {"by": "source", "ratio": "5-1-4", "seed": 0}
    write_split(
        tmp_path,
        [{"clip_id": c.id, "split": PARTS[i % 3], **made} for i, c in enumerate(clips)],
    )
    with pytest.raises(ManifestError, match=r"several parts.*--reassign"):
        split_dataset(tmp_path)


@pytest.mark.parametrize("text", ["5-1", "5-0-4", "a-b-c", "5:1:4", "5--4", "-5-1-4"])
def test_a_ratio_that_cannot_be_read_is_a_usage_error(text: str) -> None:
    """Three whole numbers."""
    with pytest.raises(ValueError, match="three whole numbers"):
        parse_ratio(text)
    assert parse_ratio("80-10-10") == (80, 10, 10)
