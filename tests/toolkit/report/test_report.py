"""The report of a dataset: one file without a network, the manifest's figures, names as text."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tests.browser import evaluate, needs_chromium
from tests.datasets import FakeClip, make_rejected_row, make_source_row, write_dataset
from toolkit.cli import main
from toolkit.dataset.manifest import write_part, write_split
from toolkit.dataset.stats_plot import Distribution
from toolkit.errors import ManifestError, StorageError
from toolkit.report import measure, write
from toolkit.report.bars import draw_histogram, find_ticks
from toolkit.report.measure import read_clips
from toolkit.report.pick import find_doubts, pick_clips, rank_clips
from toolkit.report.write import write_report
from toolkit.schema import Reason

MARKUP = "<b>ann</b>"
CLIPS = [
    FakeClip(identity=MARKUP, source="videos/<i>1</i>.mp4", num_frames=600,
             row={"face_size": 100.0, "sharpness": 10.0, "mouth_audio_lag": 0.1}),
    FakeClip(identity="bob", source="videos/2.mp4", num_frames=300,
             row={"face_size": 200.0, "sharpness": 20.0, "mouth_audio_lag": None, "num_blinks": 1,
                  "blink_onsets": [1.0], "blink_offsets": [1.2]}),
    FakeClip(identity="bob", source="videos/3.mp4", num_frames=300,
             row={"face_size": 300.0, "sharpness": 30.0, "mouth_audio_lag": None}),
]  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips with frames, one stretch turned down, a split."""
    folder = write_dataset(tmp_path_factory.mktemp("data") / "set", {"j": CLIPS}, frame_size=64)
    job, source = "k", "videos/<i>4</i>.mp4"
    gone = FakeClip(source=source, num_frames=300)
    write_part(folder, "rejected", job, [make_rejected_row(source, Reason.NO_FACE, 10.0, job)])
    write_part(folder, "clips", job, [])
    write_part(folder, "sources", job, [make_source_row([gone], job) | {"num_clips": 0}])
    parts = {CLIPS[0].id: "train", CLIPS[1].id: "val", CLIPS[2].id: "test"}
    made = {"by": "source", "ratio": "1-1-1", "seed": 0}
    write_split(folder, [{"clip_id": i, "split": part, **made} for i, part in parts.items()])
    return folder


@pytest.fixture(scope="module")
def page(dataset: Path) -> Path:
    out = dataset.parent / "report.html"
    write_report(dataset, out)
    return out


def test_the_report_is_one_file_that_refers_to_nothing_else(page: Path) -> None:
    text = page.read_text("utf-8")
    assert not re.search(r"(src|href|action|srcset|data)=\"?(?!data:|\")", text)
    assert not re.search(r"https?:|url\(|@import|<link|<iframe", text)
    assert "default-src 'none'" in text
    assert len(re.findall("data:image/jpeg;base64,", text)) == 2 + 1 + 1  # best, worst, doubtful


def test_names_and_paths_are_text_and_no_markup(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "<b>ann" not in text
    assert "&lt;b&gt;ann&lt;/b&gt;" in text
    assert not re.search("<i>[14]", text)
    assert "videos/&lt;i&gt;1&lt;/i&gt;.mp4" in text
    assert "videos/&lt;i&gt;4&lt;/i&gt;.mp4" in text


def test_json_holds_the_figures_of_the_manifest(dataset: Path) -> None:
    result = CliRunner().invoke(main, ["report", "--data", str(dataset), "--json"])
    found = json.loads(result.stdout)
    # 20 s, 10 s and 10 s are clips of 50 s given
    assert found["funnel"]["hours_in"] == pytest.approx(50 / 3600)
    assert found["funnel"]["hours_out"] == pytest.approx(40 / 3600)
    (example,) = found["examples"]["no_face"]
    assert example == {
        "source": "videos/<i>4</i>.mp4", "start": 0.0, "duration": 10.0, "message": "made up"
    }  # fmt: skip
    assert [part["clips"]["name"] for part in found["split"]["parts"]] == ["train", "val", "test"]
    assert (found["split"]["num_tested"], found["split"]["num_known"]) == (1, 0)
    assert [person["clips"]["name"] for person in found["identities"]] == [MARKUP, "bob"]
    assert found["identities"][1]["blinks"]["rate"] == pytest.approx(1 / 20)
    lengths = next(d for d in found["distributions"] if d["title"].startswith("length"))
    assert sum(lengths["counts"][0]) == 3
    assert found["picks"]["num_by_doubt"]["lip sync"] == 1
    assert found["provenance"]["backends"]["au45"] == {"embedded 1": 3}


def test_a_page_of_many_clips_names_how_many_rows_are_left_out(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "MAX_ROWS", 2)
    monkeypatch.setattr(measure, "MAX_IDENTITIES", 1)
    report = write_report(dataset, tmp_path / "r.html", pictures=False)
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "2 of 3, evenly chosen in order of source and time; 1 are left out" in text
    assert "The 1 of most minutes; 1 others are left out" in text
    assert "data:image" not in text
    assert report.whole.clips.num_clips == 3


def test_a_missing_shard_costs_the_pictures_alone(dataset: Path, tmp_path: Path) -> None:
    copy = write_dataset(tmp_path / "set", {"j": CLIPS}, shards=False)
    write_report(copy, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "no picture" in text
    assert "j.h5: missing" in text


def test_a_dataset_without_clips_has_a_report_of_what_was_turned_down(tmp_path: Path) -> None:
    gone = FakeClip(source="a.mp4", num_frames=300)
    write_part(tmp_path, "rejected", "k", [make_rejected_row("a.mp4", Reason.STILL, 10.0, "k")])
    write_part(tmp_path, "clips", "k", [])
    write_part(tmp_path, "sources", "k", [make_source_row([gone], "k") | {"num_clips": 0}])
    report = write_report(tmp_path, tmp_path / "r.html")
    assert report.funnel.rejected[0].reason == "still"
    assert "still" in (tmp_path / "r.html").read_text("utf-8")


def test_a_page_is_written_whole_or_not_at_all(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in .html or .htm"):
        write_report(dataset, tmp_path / "report.pdf")
    with pytest.raises(ManifestError, match="no dataset here"):
        write_report(tmp_path / "none", tmp_path / "r.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(StorageError, match="is a folder"):
        write_report(dataset, tmp_path / "folder.html")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.html"]
    result = CliRunner().invoke(main, ["report", "--data", str(dataset)])
    assert result.exit_code == 2
    assert "--out FILE.html, --json, or both" in result.output


# --- which clips --------------------------------------------------------------------------------


GOOD = {
    "mouth_audio_lag": 0.0, "speech_share": 0.8, "mouth_audio_corr": 0.4, "valid_share": 1.0,
    "outside_share": 0.0, "num_pictures": 600, "num_frames": 600, "num_blinks": 5,
    "duration": 20.0, "identity": "ann",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        ({}, None),
        ({"mouth_audio_lag": 0.1}, "lip sync"),
        ({"mouth_audio_lag": -0.1}, None),  # late sound is noticed later
        ({"mouth_audio_lag": -0.2}, "lip sync"),
        ({"mouth_audio_lag": math.nan}, None),
        ({"mouth_audio_corr": 0.05}, "whose voice"),
        ({"mouth_audio_corr": 0.05, "speech_share": 0.1}, None),
        ({"valid_share": 0.8}, "tracking"),
        ({"outside_share": 0.2}, "border"),
        ({"num_pictures": 500}, None),  # 25 a second on a clock of 30
        ({"num_pictures": 300}, "repeated pictures"),
        ({"num_blinks": 0}, "no blink"),
        ({"num_blinks": 0, "duration": 10.0}, None),
        ({"num_blinks": math.nan}, None),
        ({"identity": "videos"}, "identity"),
    ],
)
def test_a_doubt_stands_where_a_number_gives_reason(
    change: dict[str, object], doubt: str | None
) -> None:
    (row,) = find_doubts(pd.DataFrame([GOOD | change])).to_dict("records")
    found = [str(name).removeprefix("doubt ") for name, value in row.items() if value]
    assert found == ([] if doubt is None else [doubt])


def test_ranks_are_means_of_the_columns_ranks(dataset: Path) -> None:
    clips = read_clips(dataset).set_index("source")
    # face and sharpness: 1/3, 2/3, 1; valid and correlation are the same in all: 2/3 each
    expected = {"videos/<i>1</i>.mp4": 1 / 2, "videos/2.mp4": 2 / 3, "videos/3.mp4": 5 / 6}
    assert clips["rank"].to_dict() == pytest.approx(expected)
    assert rank_clips(clips.assign(sharpness=math.nan)).between(0, 1).all()


def test_no_clip_is_among_the_best_and_the_worst(dataset: Path) -> None:
    picks = pick_clips(read_clips(dataset))
    assert [pick.clip_id for pick in picks.best] == [CLIPS[2].id, CLIPS[1].id]
    assert [pick.clip_id for pick in picks.worst] == [CLIPS[0].id]
    assert [pick.doubts for pick in picks.doubtful] == [("lip sync", "no blink")]


# --- figures ------------------------------------------------------------------------------------


def test_a_bar_is_as_high_as_its_share() -> None:
    edges, counts = np.array([0.0, 1.0, 2.0]), np.array([[30.0, 10.0]])
    drawn = draw_histogram(Distribution(title="length (s)", edges=edges, counts=counts, of="clips"))
    heights = [float(h) for h in re.findall(r'class="bar".*?height="([\d.]+)"', drawn)]
    assert heights[0] / heights[1] == pytest.approx(3, rel=0.01)
    assert "0 to 1: 30 clips, 75.0 %" in drawn
    assert "40 clips" in drawn


@given(low=st.floats(-1e4, 1e4), width=st.floats(1e-3, 1e4), number=st.integers(2, 8))
def test_ticks_are_few_round_and_within_the_range(low: float, width: float, number: int) -> None:
    ticks = find_ticks(low, low + width, number)
    assert len(ticks) <= number + 1
    assert all(low - 1e-6 <= tick <= low + width + 1e-6 for tick in ticks)
    steps = np.diff(ticks)
    assert np.allclose(steps, steps[:1], rtol=1e-3)


# --- in a browser -------------------------------------------------------------------------------

LOOK = """(() => {
  const beyond = document.documentElement.scrollWidth - innerWidth;
  const tables = [...document.querySelectorAll("table.sortable")], clips = tables[1];
  const heads = [...clips.tHead.rows[0].cells].map((head) => head.textContent);
  const read = (name) => [...clips.tBodies[0].rows].filter((row) => !row.hidden)
    .map((row) => row.cells[heads.indexOf(name)].textContent);
  const click = (name) => clips.tHead.rows[0].cells[heads.indexOf(name)].firstChild.click();
  click("length, s");
  const rising = read("length, s");
  click("length, s");
  const falling = read("length, s");
  click("lag, s");
  const lags = read("lag, s");
  const search = clips.closest("section").querySelector("input");
  search.value = "BOB val";
  search.dispatchEvent(new Event("input"));
  return {beyond, rising, falling, lags, found: read("identity"),
    count: clips.closest("section").querySelector("output").value,
    empty: [...document.images].filter((image) => !image.naturalWidth).length,
    loaded: performance.getEntriesByType("resource").filter((e) => !/^data:/.test(e.name)).length,
    paper: getComputedStyle(document.body).backgroundColor};
})()"""


@needs_chromium
@pytest.mark.parametrize(("width", "dark"), [(1300, False), (500, True)])
def test_a_browser_sorts_and_searches_the_table_and_loads_nothing(
    page: Path, width: int, dark: bool
) -> None:
    seen = evaluate(page, LOOK, width=width, dark=dark)
    assert seen["beyond"] <= 0
    assert seen["rising"] == ["10.00", "10.00", "20.00"]
    assert seen["falling"] == ["20.00", "10.00", "10.00"]
    assert seen["lags"] == ["0.10", "–", "–"]
    assert (seen["found"], seen["count"]) == (["bob"], "1 of 3")
    assert (seen["empty"], seen["loaded"]) == (0, 0)
    assert seen["paper"] == ("rgb(20, 24, 31)" if dark else "rgb(255, 255, 255)")
