"""`zoo evaluate video` and `compare` on generated folders, as a user types them."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.media import run_ffmpeg
from zoo.cli import main

METRICS = "psnr.mean,ssim.gaussian,cpbd,lmd.mouth,blinks.rate.das,pose.range"


def evaluate(*words):
    return CliRunner().invoke(main, ["evaluate", *map(str, words)])


@pytest.fixture(scope="module")
def folders(tmp_path_factory, videos: Path) -> Path:
    """Folders `real` and `blur` with one name in common, and a file that is no video."""
    root = tmp_path_factory.mktemp("folders")
    (root / "real").mkdir()
    (root / "blur").mkdir()
    for name in ("1", "2"):
        shutil.copy(videos / "person00" / "clip00.mp4", root / "real" / f"{name}.mp4")
    run_ffmpeg("-i", root / "real" / "1.mp4", "-vf", "gblur=2", "-c:a", "copy",
               root / "blur" / "1.mp4")  # fmt: skip
    (root / "blur" / "2.mp4").write_text("no video\n")
    return root


def test_a_folder_is_measured_and_what_is_broken_has_a_row(folders: Path, tmp_path: Path):
    result = evaluate(
        "compare", f"blur={folders / 'blur'}", "--real", folders / "real", "--metrics", METRICS,
        "--table", "das-1", "--json", tmp_path / "r.json", "--html", tmp_path / "r.html",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "Videos measured: blur 1 of 2" in result.stdout
    assert "2, blur: not measured: a text file" in result.stdout
    assert "SDA, TCD-TIMIT" in result.stdout
    means = json.loads((tmp_path / "r.json").read_text())["means"]
    assert means["psnr.mean"]["real"]["mean"] == "inf"
    assert means["lmd.mouth"]["real"]["mean"] == 0
    assert means["ssim.gaussian"]["real"]["mean"] == pytest.approx(1)
    assert means["cpbd"]["blur"]["mean"] < means["cpbd"]["real"]["mean"]
    assert 15 < means["psnr.mean"]["blur"]["mean"] < 50
    assert means["lmd.mouth"]["blur"]["mean"] < means["lmd.mouth"]["still picture"]["mean"]
    assert means["pose.range"]["still picture"]["mean"] == 0
    assert (tmp_path / "r.html").stat().st_size > 10_000


def test_nothing_measured_is_an_error_that_names_each_reason(folders: Path, tmp_path: Path):
    result = evaluate("video", folders / "blur" / "2.mp4", "--json", tmp_path / "r.json")
    assert result.exit_code == 1
    assert "2, video: not measured: a text file" in result.stdout
    assert "no video could be measured" in result.stderr
    assert json.loads((tmp_path / "r.json").read_text())["videos"][0]["error"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("video", "none.mp4"), 1, "there is no such file"),
        (("video", "none.mp4", "--metrics", "beauty"), 2, "no metric 'beauty'"),
        (("compare", "a", "--real", "."), 2, "no NAME=FOLDER"),
        (("video", "none.mp4", "--html", "r.txt"), 2, ".html"),
        (("video", "none.mp4", "--workers", "0"), 2, "workers must be at least 1"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(words, code, message):
    result = evaluate(*words)
    assert (result.exit_code, message in result.stderr) == (code, True), result.output
