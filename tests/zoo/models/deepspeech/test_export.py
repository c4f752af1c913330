"""`zoo export deepspeech`: a run's weights as the toolkit takes them."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.networks import make_random_network
from toolkit.features.deepspeech import infer_scores, load_network
from zoo.cli import main
from zoo.models.deepspeech.chains import SCALING
from zoo.training.checkpoint import save_checkpoint


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run that has just begun."""
    model = {"network": make_random_network().state_dict()}
    save_checkpoint(tmp_path / "run" / "best.pt", {"kind": "deepspeech", "model": model})
    return tmp_path / "run"


def export(run: Path, out: Path, *more: str) -> str:
    words = ["export", "deepspeech", "--run", str(run), "--out", str(out), *more]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_exported_weights_tell_the_delay_and_give_the_runs_scores(
    run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mine.safetensors"
    assert "0.06 s late" in export(run, out, "--delay", "0.06")
    network = load_network(out)
    assert network.delay == pytest.approx(0.06)
    assert network.scaling == SCALING
    pcm = (3000 * np.random.default_rng(0).standard_normal(16000)).astype(np.int16)
    original = make_random_network()
    original.scaling = SCALING
    wanted = infer_scores(original, pcm)
    np.testing.assert_allclose(infer_scores(network, pcm), wanted, atol=0.02)  # float16


def test_without_a_delay_there_is_none(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "mine.safetensors")
    assert load_network(tmp_path / "mine.safetensors").delay == 0


def test_a_folder_without_a_run_is_one_clear_error(tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    words = ["export", "deepspeech", "--run", str(tmp_path), "--out", str(out)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert f"{tmp_path / 'best.pt'}: no such checkpoint" in result.stderr
    assert not out.exists()


def test_weights_are_not_written_under_a_name_by_which_they_would_not_be_known(
    run: Path, tmp_path: Path
) -> None:
    """`load_network` takes a file that ends otherwise for a pickled checkpoint."""
    words = ["export", "deepspeech", "--run", str(run), "--out", str(tmp_path / "mine.pt")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "mine.pt: the name must end in .safetensors" in result.stderr
    assert not (tmp_path / "mine.pt").exists()
