"""The report: one file without a network, with every value, and names that are no markup."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browser import evaluate, needs_chromium
from tests.zoo.evaluation.test_summary import make_row
from zoo.evaluation.distributions import draw_blinks, draw_distributions
from zoo.evaluation.gallery import SHEET, Gallery
from zoo.evaluation.measure import Blinks, Measured
from zoo.evaluation.published import make_paper_table
from zoo.evaluation.report import make_record, write_report
from zoo.evaluation.summary import summarise
from zoo.evaluation.systems import VideoRow
from zoo.metrics.table import find_metric

LOOK = """{
  beyond: document.documentElement.scrollWidth - innerWidth,
  empty: [...document.images].filter((image) => !image.naturalWidth).length,
  pictures: document.images.length,
  interval: Math.max(...[...document.querySelectorAll("td small")].map((e) => e.offsetHeight)),
}"""

METRICS = [find_metric(name) for name in ("psnr.mean", "cpbd", "lmd.mouth")]


@pytest.fixture
def rows():
    return [
        make_row("a", "<b>1</b>", psnr_mean=math.inf, cpbd=0.5),
        make_row("b", "<b>1</b>", psnr_mean=30.0, cpbd=0.25, missing={"lmd.mouth": "no face"}),
        make_row("b", "2", error="a text file, no video"),
        make_row("real", "<b>1</b>", psnr_mean=math.inf, cpbd=0.75),
    ]


def test_the_report_is_one_file_without_a_network(tmp_path: Path, rows):
    paper = make_paper_table("das-1", summarise(rows, METRICS), ["a", "b"])
    write_report(tmp_path / "r.html", rows, METRICS, paper, face=False)
    text = (tmp_path / "r.html").read_text("utf-8")
    assert not re.search(r"(src|href)=\"(?!data:)|url\(|<script|<b>1", text)
    assert "&lt;b&gt;1&lt;/b&gt;" in text
    assert "<b>0.5</b>" in text  # the better system of two, not the real video
    assert "a text file, no video" in text
    assert "lmd.mouth: no face" in text
    assert "SDA, TCD-TIMIT" in text
    assert "mediapipe_face_mesh 0.10.21" in text
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


@needs_chromium
@pytest.mark.parametrize("width", [1300, 500])
def test_a_browser_shows_the_report_within_its_window(tmp_path: Path, width: int):
    """Tables and plots scroll by themselves; an interval stands on one line, at most 25 px high."""
    rows = [
        make_row(system, video, cpbd=0.123456 * k, lmd_mouth=0.0012345 * k)
        for system in ("ours", "a system with a long name", "real")
        for k, video in enumerate(("1", "2"), 1)
    ]
    path = tmp_path / "r.html"
    write_report(path, rows, METRICS, None, face=False)
    seen = evaluate(path, LOOK, width=width)
    assert seen["beyond"] <= 0
    assert (seen["empty"], seen["pictures"]) == (0, 1)
    assert 0 < seen["interval"] <= 25


def test_the_report_shows_the_pictures_of_its_gallery(tmp_path: Path):
    gallery = Gallery(tmp_path / "shown", 0, 2)
    for frame in range(2):
        gallery.add_pictures(frame, [np.full((128, 128, 3), level, np.uint8) for level in (0, 255)])
    gallery.write()
    sheet = np.asarray(Image.open(tmp_path / "shown" / SHEET))
    assert sheet.shape == (256, 768, 3)
    assert sheet[:128].mean() < 5
    assert sheet[128:].mean() > 250  # the real ones below
    row = VideoRow(system="a", video="1", path=None, gallery=tmp_path / "shown",
                   measured=Measured(values={"cpbd": 0.5}))  # fmt: skip
    write_report(tmp_path / "r.html", [row], METRICS, None, face=True)
    assert "data:image/jpeg;base64," in (tmp_path / "r.html").read_text("utf-8")


def test_a_record_is_plain_json(rows):
    record = json.loads(json.dumps(make_record(rows, METRICS, "whole"), allow_nan=False))
    assert record["means"]["psnr.mean"]["a"]["mean"] == "inf"
    assert record["means"]["cpbd"]["b"] == {"mean": 0.25, "low": None, "high": None, "videos": 1}
    assert record["videos"][2]["error"] == "a text file, no video"
    assert record["metrics"]["cpbd"]["better"] == "higher"


def test_blinks_are_drawn_where_there_are_whole_stretches():
    assert draw_blinks([make_row("a", "1", cpbd=0.5)], ["a"]) == b""
    blinks = {"half": Blinks(counts=[0, 1, 9], durations=[0.1, 0.25])}
    row = VideoRow(system="a", video="1", path=None, measured=Measured(blinks=blinks))
    assert draw_blinks([row], ["a"]).startswith(b"\x89PNG")


def test_distributions_need_values():
    assert draw_distributions([make_row("a", "1")], ["a"], METRICS) == b""
    assert draw_distributions([make_row("a", "1", cpbd=0.5)], ["a"], METRICS)[1:4] == b"PNG"
