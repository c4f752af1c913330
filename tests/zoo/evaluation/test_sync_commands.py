"""Lip-sync of generated videos by an untrained judge, as a user types it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file

import zoo
from tests.media import run_ffmpeg
from toolkit.storage import hash_file
from zoo.cli import main

SYNC = {
    "sync.offset": "offset",
    "sync.lse_c": "confidence",
    "sync.lse_d": "distance",
    "sync.in_place": "in_place",
}
"""Metric -> what `zoo evaluate sync` calls it."""


def evaluate(*words: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, words)])


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the weights that a seed gives."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("judge") / "judge.safetensors"
    save_file(
        zoo.create_model("syncnet").state_dict(), path, {"kind": "syncnet", "preset": "small"}
    )
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, videos: Path) -> Path:
    """One that talks, one without sound, one that is no video."""
    root = tmp_path_factory.mktemp("videos")
    (root / "a").mkdir()
    shutil.copy(videos / "person00" / "clip00.mp4", root / "a" / "talks.mp4")
    run_ffmpeg("-i", root / "a" / "talks.mp4", "-an", "-c", "copy", root / "mute.mp4")
    (root / "text.mp4").write_text("no video\n")
    return root


@pytest.fixture(scope="module")
def judged(folder: Path, judge: Path) -> dict[str, dict[str, Any]]:
    """Rows of `zoo evaluate sync` by the file's name."""
    result = evaluate("sync", folder, "--judge", judge, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["judge"], found["sha256"]) == ("syncnet small", hash_file(judge))
    return {Path(row["video"]).name: row for row in found["videos"]}


def test_a_folder_has_a_row_for_each_video_and_what_cannot_be_judged_a_reason(
    judged: dict[str, dict[str, Any]],
) -> None:
    assert list(judged) == ["talks.mp4", "mute.mp4", "text.mp4"]
    assert judged["talks.mp4"]["num_windows"] > 0
    assert "no audio stream" in judged["mute.mp4"]["error"]
    assert "a text file" in judged["text.mp4"]["error"]


def test_tables_say_what_evaluate_sync_says_and_name_the_judge(
    folder: Path, judge: Path, judged: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    out = tmp_path / "r.json"
    result = evaluate(
        "compare", f"ours={folder}", "--real", folder, "--sync-judge", judge, "--table", "facial-1",
        "--metrics", ",".join(SYNC), "--json", out, "--html", tmp_path / "r.html",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    named = f"syncnet small, sha256 {hash_file(judge)[:12]}…, a stand-in for syncnet_v2"
    assert f"sync.*: by {named}" in " ".join(result.stdout.split())
    assert named in (tmp_path / "r.html").read_text("utf-8")
    record = json.loads(out.read_text("utf-8"))
    assert record["judges"]["sync_distances"] == named
    rows = {(row["video"], row["system"]): row for row in record["videos"]}
    for metric, name in SYNC.items():
        for system in ("ours", "real"):
            value = rows["a/talks", system]["values"][metric]
            assert value == pytest.approx(judged["talks.mp4"][name], rel=1e-6)
        assert rows["mute", "ours"]["missing"][metric].startswith("the video has no sound")
    assert "sync.in_place" in rows["a/talks", "still picture"]["values"]
    assert "a text file" in rows["text", "ours"]["error"]
    assert "AV conf.: needs the published judge" in " ".join(result.stdout.split())


def test_without_a_judge_the_rows_say_what_to_type(folder: Path) -> None:
    result = evaluate("video", folder / "a" / "talks.mp4", "--metrics", "sync.lse_c,cpbd")
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert "Not measured: sync.lse_c: needs a judge of lip-sync: --sync-judge FILE" in text


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("video", "none.mp4", "--sync-judge", "none.pt"), 1, "none.pt: no such checkpoint"),
        (("person", "none", "--sync-judge", "none.pt"), 1, "none.pt: no such checkpoint"),
        (
            ("video", "none.mp4", "--sync-judge", "x", "--metrics", "cpbd"),
            2,
            "which --metrics leaves out",
        ),
        (("sync", "none.mp4", "--judge", "x", "--workers", "0"), 2, "workers must be at least 1"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    words: tuple[str, ...], code: int, message: str
) -> None:
    result = evaluate(*words)
    assert (result.exit_code, message in result.stderr) == (code, True), result.output
