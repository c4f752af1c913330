"""`zoo check identities` on datasets of coloured pictures, by a recogniser of colours."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from tests.datasets import FakeClip, write_dataset
from toolkit.errors import SetupError
from toolkit.storage import hash_file
from zoo.cli import main
from zoo.data.source import select_clips
from zoo.evaluation import clip_faces, recognition
from zoo.evaluation.clip_faces import choose_frontal

RED, GREEN, BLUE = (204, 0, 0), (0, 204, 0), (0, 0, 204)
APART = 0.8 * 2**0.5
"""Distance of two of these colours: 204 levels of 255, in two channels."""


class Colors(torch.nn.Module):
    """Stands in for the recogniser: the mean colour, 0 to 1, is what tells people apart."""

    label = "mean colour"

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        colors = (faces.mean(dim=(2, 3)) + 1) / 2
        return torch.nn.functional.pad(colors, (0, 125))


@pytest.fixture(autouse=True)
def colors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "open_recogniser", Colors)


def write(
    folder: Path, people: dict[str, Sequence[tuple[int, int, int]]], frame_size: int = 32
) -> Path:
    """A dataset: name -> the colour of each of its clips, a source for each."""
    clips = [
        FakeClip(identity=name, source=f"videos/{name}{k}.mp4", color=color, num_frames=8)
        for name, of in people.items()
        for k, color in enumerate(of)
    ]
    return write_dataset(folder, {"j": clips}, frame_size=frame_size)


def check(dataset: Path, *words: object) -> Result:
    command = ["check", "identities", "--data", str(dataset), *map(str, words)]
    return CliRunner().invoke(main, command)


def list_contents(folder: Path) -> dict[str, str]:
    return {str(path): hash_file(path) for path in folder.rglob("*") if path.is_file()}


def test_a_clean_dataset_lists_nothing(tmp_path: Path) -> None:
    dataset = write(tmp_path / "set", {"ann": [RED] * 3, "bea": [GREEN] * 2, "cid": [BLUE]})
    sheet = tmp_path / "sheet.png"
    result = check(dataset, "--sheet", sheet)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("no suspects\n")
    assert "clips of two names: 1.13 apart" in result.stdout
    assert "there are no suspects" in result.stderr
    assert not sheet.exists()


def test_clips_under_each_others_names_are_found_and_nothing_is_written(tmp_path: Path) -> None:
    people = {"ann": [RED, RED, RED, GREEN], "bea": [GREEN, RED, GREEN, GREEN], "cid": [BLUE]}
    dataset = write(tmp_path / "set", people)
    before, sheet = list_contents(dataset), tmp_path / "sheet.png"
    result = check(dataset, "--json", "--sheet", sheet)
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert (record["threshold"], record["judge"]) == (0.6, "mean colour")
    assert record["alike"] == []
    found = {each["source"]: each for each in record["distant"]}
    assert set(found) == {"videos/ann3.mp4", "videos/bea1.mp4"}
    for source, name, nearest in (("ann3", "ann", "bea"), ("bea1", "bea", "ann")):
        clip = found[f"videos/{source}.mp4"]
        assert (clip["identity"], clip["nearest"]) == (name, nearest)
        assert clip["distance"] == pytest.approx(APART, abs=0.02)
        assert clip["nearest_distance"] == pytest.approx(0, abs=0.02)
    assert list_contents(dataset) == before
    with Image.open(sheet) as picture:
        assert picture.size == (14 * 128, 2 * (128 + 22))  # 4 + 4 + 4 faces, two spaces
        colours = np.asarray(picture.convert("RGB"))[22 + 64, 64::128]
    np.testing.assert_allclose(colours[0], GREEN if "ann3" in _first(record) else RED, atol=12)
    np.testing.assert_allclose(colours[5], RED if "ann3" in _first(record) else GREEN, atol=12)


def _first(record: dict[str, list[dict[str, str]]]) -> str:
    return record["distant"][0]["source"]


def test_one_person_under_two_names_is_found(tmp_path: Path) -> None:
    people = {"ann": [RED, RED], "bea": [GREEN], "ann-2": [RED, RED, RED]}
    dataset = write(tmp_path / "set", people)
    (pair,) = json.loads(check(dataset, "--json").stdout)["alike"]
    assert pair["identities"] == ["ann", "ann-2"]
    assert pair["distance"] == pytest.approx(0, abs=0.02)
    assert pair["num_pairs"] == 6
    lines = check(dataset).stdout.splitlines()
    assert any(line.split()[:2] == ["ann", "ann-2"] for line in lines)
    assert "no suspects" not in lines


def test_the_threshold_is_a_choice(tmp_path: Path) -> None:
    dataset = write(tmp_path / "set", {"ann": [RED], "bea": [GREEN], "cid": [BLUE]})
    assert len(json.loads(check(dataset, "--json", "--threshold", 1.2).stdout)["alike"]) == 3
    assert check(dataset, "--threshold", 0).exit_code == 2


def test_of_one_identity_its_clips_are_compared_and_that_is_said(tmp_path: Path) -> None:
    result = check(write(tmp_path / "set", {"ann": [RED, RED, BLUE]}))
    assert result.exit_code == 0
    assert "one identity alone" in result.stderr
    assert "One name, two people?" in result.stdout


def test_what_cannot_be_compared_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = {"ann": [RED], "bea": [GREEN]}
    cases = [
        (check(write(tmp_path / "bare", two, frame_size=0)), 1, "--frame-size 256"),
        (check(write(tmp_path / "one", {"ann": [RED]})), 1, "two are needed"),
        (check(tmp_path / "none"), 1, "no dataset here"),
        (check(tmp_path / "bare", "--sheet", tmp_path / "a.jpg"), 2, ".png"),
        (check(tmp_path / "bare", "--sheet", tmp_path / "bare.txt" / "a.png"), 1, "no dataset"),
    ]

    def fail() -> None:
        raise SetupError("not installed: pip install 'ttk[identity]'")

    monkeypatch.setattr(recognition, "open_recogniser", fail)
    cases[-1] = (check(write(tmp_path / "two", two)), 1, "pip install 'ttk[identity]'")
    for result, code, text in cases:
        assert result.exit_code == code, result.output
        (line,) = result.stderr.strip().splitlines()
        assert line.startswith("zoo: error: ")
        assert text in line


def test_a_clip_without_a_measured_frame_is_left_out_and_counted(tmp_path: Path) -> None:
    unseen = {"face/valid": np.zeros(8, bool)}
    clips = [
        FakeClip(identity=name, source=f"{name}.mp4", color=color, num_frames=8, arrays=arrays)
        for name, color, arrays in (("ann", RED, {}), ("bea", RED, unseen), ("cid", GREEN, {}))
    ]
    result = check(write_dataset(tmp_path, {"j": clips}, frame_size=32), "--json")
    record = json.loads(result.stdout)
    assert (record["num_clips"], record["num_compared"], record["alike"]) == (3, 2, [])
    assert "1 clips without a measured face" in result.stderr


def test_the_most_frontal_measured_frame_of_each_stretch_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two stretches of 5 measured frames, 1 to 5 and 7 to 11: the least turned are 4 and 7."""
    monkeypatch.setattr(clip_faces, "NUM_FRAMES", 2)
    pose = np.zeros((12, 6), np.float32)
    pose[:, 0], pose[:, 1] = 0.1, [0, 9, 8, 7, 0.2, 5, 0, 0.1, 0.3, -0.2, 6, 7]
    valid = np.ones(12, bool)
    valid[[0, 6]] = False
    clip = FakeClip(arrays={"face/pose": pose, "face/valid": valid})
    (part,) = select_clips(write_dataset(tmp_path, {"j": [clip]}, frame_size=32))
    assert choose_frontal(part) == (4, 7)
