"""CSIM of generated videos by a small network in ArcFace's layout, as a user types it."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.onnx_files import write_means
from toolkit.storage import hash_file
from zoo.cli import main

CSIM = "identity.csim.arcface"


def evaluate(*words: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, words)])


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the mean colour alone."""
    return write_means(tmp_path_factory.mktemp("judge") / "means.onnx")


def test_csim_is_measured_and_table_json_and_report_name_the_judge(
    videos: Path, judge: Path, tmp_path: Path
) -> None:
    """The video beside itself has 1, and so has its still picture, whose colour is the same."""
    for name in ("fake", "real"):
        (tmp_path / name).mkdir()
        shutil.copy(videos / "person00" / "clip00.mp4", tmp_path / name / "a.mp4")
    out = tmp_path / "r.json"
    result = evaluate(
        "compare", f"ours={tmp_path / 'fake'}", "--real", tmp_path / "real",
        "--identity-judge", judge, "--metrics", f"{CSIM},cpbd", "--json", out,
        "--html", tmp_path / "r.html",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    named = f"means.onnx, sha256 {hash_file(judge)[:12]}…"
    assert f"{CSIM}: by {named}; not comparable" in " ".join(result.stdout.split())
    assert named in (tmp_path / "r.html").read_text("utf-8")
    record = json.loads(out.read_text("utf-8"))
    assert record["judges"]["arcface_features"] == named
    values = {row["system"]: row["values"][CSIM] for row in record["videos"]}
    assert values["ours"] == values["real"] == pytest.approx(1)
    assert values["still picture"] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("metrics", [CSIM, f"{CSIM},cpbd"])
def test_without_a_judge_the_row_says_what_to_type(videos: Path, metrics: str) -> None:
    """Also where nothing else is measured."""
    result = evaluate("video", videos / "person00" / "clip00.mp4", "--metrics", metrics)
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert f"Not measured: {CSIM}: needs ArcFace: --identity-judge FILE.onnx" in text


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("video", "none.mp4", "--identity-judge", "no.onnx"), 1, "no.onnx: no such file"),
        (("person", "none", "--identity-judge", "no.onnx"), 1, "no.onnx: no such file"),
        (
            ("video", "none.mp4", "--identity-judge", __file__),
            1,
            "no recogniser of ArcFace's layout: no ONNX network",
        ),
        (
            ("video", "none.mp4", "--identity-judge", "x", "--metrics", "identity.csim.dlib"),
            2,
            "--identity-judge measures identity.csim.arcface, which --metrics leaves out",
        ),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    words: tuple[str, ...], code: int, message: str
) -> None:
    result = evaluate(*words)
    assert (result.exit_code, message in result.stderr) == (code, True), result.output
