"""Statistics: against sums made by hand."""

import errno
import json
import math
import re
import struct
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from tests.datasets import (
    FakeClip,
    make_rejected_row,
    make_row,
    make_source_row,
    write_dataset,
)
from toolkit.cli import main
from toolkit.cli.tables import BAR, draw_bar
from toolkit.dataset.blink_stats import count_stretches, describe_blinks
from toolkit.dataset.excluded import exclude_clips
from toolkit.dataset.manifest import find_part, read_table, write_part, write_split
from toolkit.dataset.stats import compute_stats, describe_clips, warn_of_borders, yield_funnel
from toolkit.dataset.stats_plot import measure_distributions, plot_stats
from toolkit.errors import ManifestError, StorageError
from toolkit.schema import Reason


def blinking(onsets: list[float], lengths: list[float]) -> dict[str, object]:
    """Manifest columns of some blinks."""
    return {
        "num_blinks": len(onsets),
        "blink_onsets": onsets,
        "blink_offsets": [on + length for on, length in zip(onsets, lengths, strict=True)],
    }


ANN = FakeClip(
    source="ann.mp4",
    num_frames=300,
    row=blinking([0.5, 2.5, 5.5], [0.1, 0.2, 0.3])
    | {
        "valid_share": 0.9,
        "num_pictures": 150,
        "face_size": 100.0,
        "speech_share": 1.0,
        "mouth_audio_corr": 0.2,
        "pitch_min": math.radians(-10),
        "pitch_max": math.radians(10),
    },
)
BOB = FakeClip(
    source="bob.mp4",
    identity="bob",
    num_frames=900,
    row=blinking([4.0], [0.2])
    | {
        "valid_share": 0.5,
        "face_size": 200.0,
        "speech_share": 0.2,
        "mouth_audio_corr": None,
        "pitch_min": math.radians(-30),
        "pitch_max": math.radians(0),
    },
)
EVE = FakeClip(
    source="eve.mp4",
    identity="eve",
    num_frames=60,
    row={"num_blinks": None, "blink_onsets": None, "blink_offsets": None, "valid_share": 1.0},
)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Ten, thirty and two seconds of three people; the last without AU45."""
    write_dataset(tmp_path, {"a": [ANN], "b": [BOB, EVE]}, shards=False)
    return tmp_path


def make_table(*clips: FakeClip) -> pd.DataFrame:
    """Rows of the clips table."""
    return pd.DataFrame([make_row(clip) for clip in clips])


# --- clips --------------------------------------------------------------------------------------


def test_the_whole_is_counted_and_weighted(dataset: Path) -> None:
    """Valid share by frames, speech by time, medians over clips."""
    (whole,) = compute_stats(dataset, where="identity != 'eve'")
    assert (whole.num_clips, whole.num_identities, whole.num_sources) == (2, 2, 2)
    assert whole.num_frames == 1200
    assert whole.minutes == pytest.approx(40 / 60)
    assert whole.valid_share == pytest.approx((300 * 0.9 + 900 * 0.5) / 1200)
    assert whole.speech_share == pytest.approx((10 * 1.0 + 30 * 0.2) / 40)
    assert whole.picture_share == pytest.approx((150 + 900) / 1200)
    assert whole.face_size == 150
    assert whole.mouth_audio_corr == 0.2
    assert whole.pitch_range == pytest.approx(25)
    assert whole.pitch_low == pytest.approx(-30)
    assert whole.pitch_high == pytest.approx(10)


def test_excluded_clips_are_counted_as_excluded(dataset: Path) -> None:
    """Of clips of 10, 30 and 2 s that of 30 s is left out: neither clips nor minutes hold it."""
    exclude_clips(dataset, [BOB.id], "two voices")
    (whole,) = compute_stats(dataset)
    assert (whole.num_clips, whole.minutes) == (2, pytest.approx(12 / 60))
    funnel = yield_funnel(dataset)
    assert (funnel.num_clips, funnel.num_excluded) == (2, 1)
    assert funnel.hours_out * 3600 == pytest.approx(12)
    assert funnel.hours_excluded * 3600 == pytest.approx(30)
    result = CliRunner().invoke(main, ["stats", "--data", str(dataset)])
    assert re.search(r"excluded +1 clips +0\.5 min +71\.4 %", result.stdout)


def test_the_share_outside_the_picture_is_averaged_and_much_of_it_warned_of(
    tmp_path: Path,
) -> None:
    rows = [replace(ANN, row={"outside_share": 0.4}), replace(BOB, row={"outside_share": 0.1})]
    write_dataset(tmp_path, {"a": rows}, shards=False)
    (whole,) = compute_stats(tmp_path)
    assert whole.outside_share == pytest.approx((300 * 0.4 + 900 * 0.1) / 1200)
    with pytest.warns(UserWarning, match="in 1 of 2 clips over 10% of the crop"):
        result = CliRunner().invoke(main, ["stats", "--data", str(tmp_path)])
    assert "crop outside the picture" in result.output and "17.5 %" in result.output


def test_a_manifest_without_the_share_outside_is_read(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"a": [ANN], "b": [BOB]}, shards=False)
    path = find_part(tmp_path, "clips", "a")
    table = pq.read_table(path).drop_columns(["outside_share"])
    pq.write_table(table, path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clips = read_table(tmp_path, "clips")
        warn_of_borders(clips)
    assert clips["outside_share"].isna().tolist() == [True, False]
    assert describe_clips("all", clips[:1]).outside_share is None


@pytest.mark.parametrize(
    ("by", "names"),
    [("identity", ["ann", "bob", "eve"]), ("source", ["ann.mp4", "bob.mp4", "eve.mp4"])],
)
def test_groups_have_their_own_numbers(dataset: Path, by: str, names: list[str]) -> None:
    """One row each, sorted; what is not known is None."""
    groups = compute_stats(dataset, by=by)
    assert [group.name for group in groups] == names
    assert [group.num_frames for group in groups] == [300, 900, 60]
    assert groups[1].mouth_audio_corr is None


def test_by_split_needs_one_and_shows_clips_outside_it(dataset: Path) -> None:
    """A clip without a part is not lost."""
    with pytest.raises(ManifestError, match="run ttk split"):
        compute_stats(dataset, by="split")
    made = {"by": "clip", "ratio": "5-1-4", "seed": 0}
    write_split(dataset, [{"clip_id": ANN.id, "split": "val", **made}])
    groups = compute_stats(dataset, by="split")
    assert [(group.name, group.num_clips) for group in groups] == [("(none)", 2), ("val", 1)]


def test_an_unknown_group_is_a_usage_error(dataset: Path) -> None:
    """The message names those there are."""
    with pytest.raises(ValueError, match="identity, split, source"):
        compute_stats(dataset, by="colour")


def test_no_clips_are_no_error(tmp_path: Path) -> None:
    """All was turned down."""
    write_part(tmp_path, "sources", "a", [])
    (whole,) = compute_stats(tmp_path)
    assert (whole.num_clips, whole.minutes, whole.valid_share) == (0, 0, None)
    assert yield_funnel(tmp_path).hours_in == 0
    blinks = describe_blinks("all", make_table(ANN).iloc[:0])
    assert (blinks.rate, blinks.duration, blinks.interval, blinks.stretches) == (None,) * 3 + ((),)


# --- yield --------------------------------------------------------------------------------------


def test_the_funnel_adds_up(dataset: Path) -> None:
    """In = out + turned down + other; reasons with most hours first."""
    rows = [
        make_rejected_row("bob.mp4", Reason.TOO_SHORT, 36.0, "b"),
        make_rejected_row("bob.mp4", Reason.NO_FACE, 72.0, "b"),
        make_rejected_row("eve.mp4", Reason.TOO_SHORT, 18.0, "b"),
    ]
    write_part(dataset, "rejected", "b", rows)
    funnel = yield_funnel(dataset)
    assert (funnel.num_sources, funnel.num_clips) == (3, 3)
    assert funnel.hours_out == pytest.approx(42 / 3600)
    found = [(r.reason, r.num_stretches) for r in funnel.rejected]
    assert found == [("no_face", 1), ("too_short", 2)]
    assert [r.hours for r in funnel.rejected] == pytest.approx([0.02, 0.015])
    total = funnel.hours_out + sum(r.hours for r in funnel.rejected) + funnel.other
    assert total == pytest.approx(funnel.hours_in)


def test_sources_of_25_pictures_a_second_are_counted_where_the_clock_is_faster(
    tmp_path: Path,
) -> None:
    """Two clips of one of 25, one each of 23.976, 29.97 and 20; on a clock of 25 there are none."""
    rates = {"a.mp4": 25.0, "b.mp4": 23.976, "c.mp4": 29.97, "d.mp4": 20.0}
    clips = [FakeClip(source=name, row={"source_fps": rate}) for name, rate in rates.items()]
    more = FakeClip(source="a.mp4", start_frame=300, row={"source_fps": 25.0})
    write_dataset(tmp_path / "x", {"a": [*clips, more]}, shards=False)
    assert yield_funnel(tmp_path / "x").num_slow_sources == 2
    output = CliRunner().invoke(main, ["stats", "--data", str(tmp_path / "x")]).output
    assert "2 of 4 sources have 25 pictures a second" in output
    assert "--fps 25" in output
    slower = FakeClip(source="a.mp4", row={"source_fps": 25.0, "fps": 25})
    write_part(tmp_path / "y", "clips", "a", [make_row(slower, "a")])
    write_part(tmp_path / "y", "sources", "a", [make_source_row([slower], "a")])
    assert yield_funnel(tmp_path / "y").num_slow_sources == 0
    assert "--fps" not in CliRunner().invoke(main, ["stats", "--data", str(tmp_path / "y")]).output


def test_a_source_that_has_changed_since_counts_as_it_is_now(dataset: Path) -> None:
    """Its former clips stay in the manifest; the funnel still adds up."""
    again = FakeClip(source="ann.mp4", start_frame=7, num_frames=60)
    later = {"job": "c", "ingested_at": datetime(2030, 1, 1, tzinfo=UTC)}
    write_part(dataset, "clips", "c", [make_row(again, "c") | later])
    write_part(dataset, "sources", "c", [make_source_row([again], "c") | later])
    funnel = yield_funnel(dataset)
    assert (funnel.num_sources, funnel.num_clips) == (3, 3)
    assert funnel.hours_out == pytest.approx((2 + 30 + 2) / 3600)
    assert compute_stats(dataset)[0].num_clips == 4


# --- blinks -------------------------------------------------------------------------------------


def test_blinks_are_pooled_over_valid_seconds_of_clips_with_au45() -> None:
    """Four blinks in 10·0.9 + 30·0.5 seconds; the clip without AU45 does not count."""
    blinks = describe_blinks("all", make_table(ANN, BOB, EVE))
    assert blinks.num_blinks == 4
    assert blinks.valid_seconds == pytest.approx(24)
    assert blinks.rate == pytest.approx(4 / 24)
    assert blinks.duration == pytest.approx(0.2)


def test_intervals_run_from_onset_to_onset_within_a_clip() -> None:
    """2 s and 3 s; never from one clip to the next."""
    assert describe_blinks("all", make_table(ANN, BOB)).interval == pytest.approx(2.5)
    assert describe_blinks("bob", make_table(BOB)).interval is None


def test_stretches_and_durations_are_counted() -> None:
    """ANN: [0, 4) has 2, [4, 8) has 1. BOB: 7 stretches, the blink at 4.0 is in the second."""
    blinks = describe_blinks("all", make_table(ANN, BOB))
    assert blinks.stretches == (6, 2, 1)
    assert blinks.durations == (0, 0, 0, 1, 0, 0, 2, 0, 0, 1)


@settings(deadline=None, max_examples=100)
@given(st.sets(st.integers(0, 900)), st.integers(0, 901))
def test_stretches_count_onset_frames_exactly(frames: set[int], num_frames: int) -> None:
    """Seconds are k/30, of which many are no exact numbers; 4 s are 120 frames."""
    inside = sorted(frame for frame in frames if frame < num_frames)
    found = count_stretches(np.array(inside) / 30, num_frames / 30)
    wanted = [sum(f // 120 == k for f in inside) for k in range(num_frames // 120)]
    assert found.tolist() == wanted


def test_distributions_are_counted_for_each_group() -> None:
    """Lengths of 10, 2 and 30 s; ranges in degrees; the blinks of the two groups side by side."""
    groups = [("ann", make_table(ANN, EVE)), ("bob", make_table(BOB))]
    found = {d.title: d for d in measure_distributions(groups)}
    lengths = found["length of a clip (s)"]
    assert lengths.counts.sum(axis=1).tolist() == [2, 1]
    assert (lengths.edges[0], lengths.edges[-1]) == (
        min(d for _, rows in groups for d in rows["duration"]),
        max(d for _, rows in groups for d in rows["duration"]),
    )
    assert lengths.shares.sum(axis=1).tolist() == [100, 100]
    blinks = found["blinks in 4 s"]
    assert blinks.counts.tolist() == [[0, 1, 1], [6, 1, 0]]
    assert blinks.edges.tolist() == [-0.5, 0.5, 1.5, 2.5]
    assert blinks.human == pytest.approx((1.12, 1.8))
    durations = found["duration of a blink (s)"]
    assert np.argwhere(durations.counts).tolist() == [[0, 3], [0, 6], [0, 9], [1, 6]]
    assert durations.edges[4] == pytest.approx(3.5 / 30)


def test_pose_ranges_are_drawn_in_degrees() -> None:
    table = make_table(ANN).assign(yaw_min=-0.1, yaw_max=0.2)
    (found,) = [d for d in measure_distributions([("ann", table)]) if d.title.startswith("yaw")]
    assert np.mean(found.edges) == pytest.approx(math.degrees(0.3))


def test_numbers_that_no_clip_has_are_left_out() -> None:
    """Without AU45, pose and agreement: no panel, and no failure."""
    table = make_table(ANN).assign(
        num_blinks=None, blink_onsets=None, blink_offsets=None, yaw_min=np.nan, speech_share=np.nan
    )
    titles = {d.title for d in measure_distributions([("ann", table)])}
    assert "length of a clip (s)" in titles
    assert not {t for t in titles if t.startswith(("blinks", "yaw", "duration", "time"))}


def test_the_figure_is_a_picture_of_the_size_asked_for(tmp_path: Path) -> None:
    """12 inches at 150 dpi; nothing to draw, or a wrong suffix: said so."""
    groups = [("all", make_table(ANN, BOB))]
    plot_stats(groups, tmp_path / "x.png")
    content = (tmp_path / "x.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert struct.unpack(">I", content[16:20]) == (1800,)
    for nothing in ([], [("eve", make_table(EVE).iloc[:0])]):
        with pytest.raises(ValueError, match="no clip to plot"):
            plot_stats(nothing, tmp_path / "x.png")
    with pytest.raises(ValueError, match="xyz"):
        plot_stats(groups, tmp_path / "x.xyz")


def test_any_number_of_groups_is_drawn(tmp_path: Path) -> None:
    """Six as bars of their own colours, more as rows, which grow to a height of their own."""
    table = make_table(ANN, BOB)
    heights = {}
    for number in (6, 7, 150):
        plot_stats([(f"person {k}", table) for k in range(number)], tmp_path / "x.png")
        with Image.open(tmp_path / "x.png") as picture:
            heights[number] = picture.height
            colors = {color for _, color in picture.convert("RGB").getcolors(1 << 24)}
        assert ((0xD9, 0x82, 0x2B) in colors) == (number == 6)
    assert heights[6] == heights[7] < heights[150]
    assert heights[150] == 4 * 20 * 150  # four rows of panels, 20 inches at most


@pytest.mark.filterwarnings("error")
def test_a_figure_takes_every_name(tmp_path: Path) -> None:
    """No formula, no name left out, no line broken."""
    names = ["$x$", "_hidden", "a\nb", "x" * 300, "$", "Jörg"]
    plot_stats([(name, make_table(ANN)) for name in names], tmp_path / "x.svg")
    text = (tmp_path / "x.svg").read_text("utf-8")
    for name in ("$x$", "_hidden", r"a\nb", "Jörg"):
        assert f"{name}: 1 clips" in text


def test_a_group_without_blinks_has_its_own_colour_in_the_figure(tmp_path: Path) -> None:
    """And not the colour of matplotlib's next line, which is no group's."""
    groups = [("ann", make_table(ANN)), ("eve", make_table(EVE).iloc[:0])]
    plot_stats(groups, tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as picture:
        colors = {color for _, color in picture.convert("RGB").getcolors(1 << 24)}
    assert (0x1F, 0x77, 0xB4) not in colors
    assert (0xD9, 0x82, 0x2B) in colors  # eve's


def test_a_figure_that_cannot_be_written_leaves_the_former_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Figure, path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "x.png").write_bytes(b"former")
    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(StorageError, match=r"x\.png: .*disk is full"):
        plot_stats([("all", make_table(ANN, BOB))], tmp_path / "x.png")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x.png", b"former")]


# --- the commands -------------------------------------------------------------------------------


def run(*words: str) -> str:
    """Standard output of a command that must succeed."""
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_stats_prints_tables_of_at_most_a_hundred_columns(dataset: Path) -> None:
    """Clips, yield, blinks, the papers' numbers, bars."""
    for by in ((), ("--by", "identity")):
        text = run("stats", "--data", str(dataset), "--blinks", *by)
        assert max(map(len, text.splitlines())) <= 100
        for word in ("Clips", "Yield", "0.28–0.45 blinks/s", "0.41 s", "4-second stretches", "█"):
            assert word in text


def test_stats_as_json_is_one_document_without_nan(dataset: Path) -> None:
    """And the figure is drawn beside it."""
    plot = dataset / "b.png"
    text = run("stats", "--data", str(dataset), "--json", "--blinks", "--plot", str(plot))
    document = json.loads(text)
    assert document["clips"][0]["num_clips"] == 3
    assert document["yield"]["num_sources"] == 3
    assert document["blinks"][0]["num_blinks"] == 4
    assert plot.is_file()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--where", "smile > 1"], 2, "no column 'smile'"),
        (["--by", "split"], 1, "run ttk split"),
        (["--where", "identity == 'nobody'", "--plot", "x.png"], 2, "no clip to plot"),
    ],
)
def test_stats_says_in_one_line_what_is_wrong(
    dataset: Path, words: list[str], code: int, message: str
) -> None:
    """Usage errors exit with 2, missing data with 1."""
    result = CliRunner().invoke(main, ["stats", "--data", str(dataset), *words])
    assert result.exit_code == code
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_split_prints_its_parts_and_how_close_they_are(dataset: Path) -> None:
    """As a table and as JSON; an error is one line."""
    text = run("split", "--data", str(dataset), "--ratio", "2-1-7")
    assert max(map(len, text.splitlines())) <= 100
    for word in ("train", "val", "test", "points", "No person of test is in train"):
        assert word in text
    document = json.loads(run("split", "--data", str(dataset), "--ratio", "2-1-7", "--json"))
    assert [part["name"] for part in document["parts"]] == ["train", "val", "test"]
    assert (document["num_kept"], document["num_new"]) == (3, 0)
    result = CliRunner().invoke(main, ["split", "--data", str(dataset), "--ratio", "1-1"])
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(("share", "bar"), [(0, ""), (1, "█" * BAR), (0.5, "█" * (BAR // 2))])
def test_bars_are_as_long_as_their_share(share: float, bar: str) -> None:
    """To an eighth of a column."""
    assert draw_bar(share) == bar
    assert draw_bar(1 / BAR / 8) == "▏"
