"""FaceNet, LPIPS and FID of generated videos by files of the published layouts, as a user types it.

All layers of these give the mean of what they see: numbers mean nothing, but names and columns do.
"""

import functools
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.media import run_ffmpeg
from tests.published_files import install_layers, list_shapes, write_alike
from toolkit.storage import hash_file
from zoo.cli import main
from zoo.evaluation import inception
from zoo.evaluation.facenet import FaceNet
from zoo.evaluation.inception import Inception
from zoo.evaluation.learned_distance import BACKBONES, Features

NAMES = "fid,lpips.alex,lpips.vgg,identity.distance.facenet,identity.acd_reference.facenet"


def evaluate(*words: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, words)])


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Option -> its file."""
    folder = tmp_path_factory.mktemp("judges")
    networks = {
        "facenet": functools.partial(FaceNet, 8631),
        "lpips": functools.partial(Features, BACKBONES["lpips_alex"]),
        "fid": Inception,
    }
    return {
        f"--{name}-judge": write_alike(folder / f"{name}.pth", list_shapes(create))
        for name, create in networks.items()
    }


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A real video of 10 frames that shows no face, and the same darker.

    Inception sees its smallest picture.
    """
    monkeypatch.setattr(inception, "SIDE", 75)
    install_layers(tmp_path / "packages", monkeypatch)
    for name, change in (("real", "null"), ("dark", "lutyuv=y=val/2")):
        (tmp_path / name).mkdir()
        run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=96x96:rate=25:duration=0.4", "-vf", change,
                   tmp_path / name / "a.mp4")  # fmt: skip
    shutil.copytree(tmp_path / "real", tmp_path / "same")
    return tmp_path


def test_all_are_measured_and_table_json_and_report_name_the_judges(
    folders: Path, judges: dict[str, Path]
) -> None:
    out, html = folders / "r.json", folders / "r.html"
    result = evaluate(
        "compare", f"same={folders / 'same'}", f"dark={folders / 'dark'}", "--real",
        folders / "real", "--metrics", NAMES, "--table", "das-1", "--json", out, "--html", html,
        *(word for pair in judges.items() for word in pair),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    text = " ".join(result.stdout.split())
    for path in judges.values():
        assert f"{path.name}, sha256 {hash_file(path)[:12]}…" in text
        assert f"{path.name}, sha256 {hash_file(path)[:12]}…" in html.read_text("utf-8")
    assert "fid: by fid.pth" in text
    assert "a stand-in for torchvision's alexnet-owt-7be5be79.pth" in text
    assert "Not measured: lpips.vgg: needs VGG16: --lpips-judge FILE" in text
    assert "fid is of all pictures together" in text
    assert "fid is of too few pictures: below 2049 a covariance lacks directions" in text
    assert "identity.acd_reference.facenet: the video shows no face" in text
    record = json.loads(out.read_text("utf-8"))
    assert set(record["judges"]) >= {"facenet_features", "lpips_alex", "inception_features"}
    means = {name: {k: v["mean"] for k, v in of.items()} for name, of in record["means"].items()}
    num = record["sets"]["pictures"]["same"]
    assert record["sets"]["pictures"] == dict.fromkeys(
        ("same", "dark", "real", "still picture"), num
    )
    assert num == 10
    assert [means["fid"][name] for name in ("same", "real")] == pytest.approx([0, 0], abs=1e-6)
    assert means["fid"]["dark"] > 1e-3
    assert means["lpips.alex"]["same"] == 0
    assert not any("fid" in row["values"] or "fid" in row["missing"] for row in record["videos"])


def test_fid_alone_prints_no_table_of_videos(folders: Path, judges: dict[str, Path]) -> None:
    """They have no value of it; without its judge the row says what to type."""
    words = ("video", folders / "dark", "--real", folders / "real", "--metrics", "fid")
    result = evaluate(*words, "--fid-judge", judges["--fid-judge"])
    assert result.exit_code == 0, result.output
    assert "Videos measured" in result.stdout
    assert "Videos\n" not in result.stdout
    result = evaluate(*words)
    assert "Not measured: fid: needs Inception: --fid-judge" in " ".join(result.stdout.split())


@pytest.mark.parametrize("option", ["--facenet-judge", "--lpips-judge", "--fid-judge"])
def test_a_wrong_file_is_one_line_before_any_work(judges: dict[str, Path], option: str) -> None:
    wrong = next(path for other, path in judges.items() if other != option)
    result = evaluate("video", "none.mp4", option, wrong)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert f"{wrong}: not " in result.stderr
    result = evaluate("person", "none", option, "no.pth")
    assert (result.exit_code, "no.pth: no such file" in result.stderr) == (1, True)
