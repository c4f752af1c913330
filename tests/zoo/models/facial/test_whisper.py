"""FACIAL-GAN on states of Whisper in the place of the scores: generated numbers, (n, 384)."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
import torch
from click.testing import CliRunner

from tests.datasets import FakeClip, write_dataset
from tests.runs import train_killed
from tests.tones import play_text, write_wav
from toolkit.dataset.manifest import write_split
from toolkit.errors import ShardError, ToolkitError
from toolkit.schema import Provenance
from zoo.cli import main
from zoo.data import Normalisation, load_clips
from zoo.data.contract import Contract, make_contract
from zoo.evaluation.motion import evaluate_part
from zoo.models.facial.model import create_facial_gan, open_facial_gan
from zoo.models.facial.networks import Generator
from zoo.models.facial.options import FacialRecipe, FinetuneRecipe
from zoo.models.facial.recipe import train_facial
from zoo.motion import speech
from zoo.motion.motion_file import load_motion
from zoo.motion.speech import predict_scores
from zoo.speaking.personalize import plan_ingest
from zoo.training.checkpoint import load_checkpoint

MADE = Provenance(backend="tiny-en", version="1, generated", weights_sha256="0" * 64)
STATES, EXPRESSION = (
    np.random.default_rng(0).normal(0, 1, (29, width)).astype(np.float32) for width in (384, 64)
)
"""From scores to what stands for states, and to the motion that follows them."""

SPLIT = {"a": "train", "b": "train", "c": "train", "d": "val", "e": "test", "f": "test"}


def make_clip(number: int, name: str) -> FakeClip:
    """Of two people in turn, 160 frames."""
    scores = np.random.default_rng(number).normal(-3, 2, (160, 29)).astype(np.float32)
    return FakeClip(
        identity=f"person-{number % 2}",
        source=f"{name}.mp4",
        num_frames=160,
        arrays={
            "audio/deepspeech": scores,
            "audio/whisper": (scores @ STATES).astype(np.float16),
            "face/expression": scores @ EXPRESSION / 10,
            "face/valid": np.ones(160, np.bool_),
        },
    )


def write_clips(folder: Path, *, with_states: bool) -> Path:
    """Six clips, three to train on."""
    clips = {name: make_clip(number, name) for number, name in enumerate(SPLIT)}
    if not with_states:
        for clip in clips.values():
            del clip.arrays["audio/whisper"]
    write_dataset(folder, {"j": [*clips.values()]})
    rows = [
        {"clip_id": clips[name].id, "split": part, "by": "clip", "ratio": "3-1-2", "seed": 0}
        for name, part in SPLIT.items()
    ]
    write_split(folder, rows)
    return folder


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset as it was made before there were states."""
    return write_clips(tmp_path_factory.mktemp("facial") / "without", with_states=False)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same clips with states."""
    folder = write_clips(tmp_path_factory.mktemp("facial") / "with", with_states=True)
    with h5py.File(folder / "shards" / "j.h5", "r+") as file:
        record = json.loads(file.attrs["provenance"])
        record["features"]["whisper"] = vars(MADE)
        file.attrs["provenance"] = json.dumps(record)
    return folder


def make_recipe(dataset: Path, **changes: Any) -> FacialRecipe:
    settings = {"preset": "small", "epochs": 1, "batch_size": 4, "device": "cpu"}
    settings |= {"speech_features": "whisper", "stride": 40} | changes
    return FacialRecipe(shards=dataset / "shards", **settings)


@pytest.fixture(scope="module")
def run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs without a break."""
    out = tmp_path_factory.mktemp("run")
    train_facial(make_recipe(dataset, epochs=2), out)
    return out


# --- training -----------------------------------------------------------------------------------


def test_a_run_says_what_it_reads_and_is_fitted_on_it(dataset: Path, run: Path) -> None:
    assert json.loads((run / "recipe.json").read_text())["speech_features"] == "whisper"
    model = open_facial_gan(run / "best.pt")
    assert model.contract.speech_features == "whisper"
    assert model.contract.backends["whisper"] == f"tiny-en 1, generated {MADE.weights_sha256}"
    assert "deepspeech" not in model.contract.backends
    clips = load_clips(dataset, split="train", speech_features="whisper")
    states = np.concatenate([clip.audio for clip in clips])
    assert (states.shape[1], states.dtype) == (384, np.float16)
    mean, scale = states.mean(0, dtype=np.float64), states.std(0, dtype=np.float64)
    np.testing.assert_allclose(model.normalisation.audio_mean, mean, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(model.normalisation.audio_scale, scale, rtol=1e-4)
    assert tuple(model.network.reduce.weight.shape) == (29, 384)


def test_a_run_killed_within_an_epoch_ends_with_the_weights_of_an_undisturbed_one(
    dataset: Path, run: Path, tmp_path: Path
) -> None:
    recipe = make_recipe(dataset, epochs=2)
    train_killed(train_facial, recipe, tmp_path, epoch=1, step=1)
    whole, resumed = (
        load_checkpoint(folder / "last.pt", "facial-gan")["model"]["generator"]
        for folder in (run, tmp_path)
    )
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_motion_follows_the_states(dataset: Path, run: Path) -> None:
    model = open_facial_gan(run / "best.pt")
    first, other = load_clips(dataset, split="test", speech_features="whisper").clips[:2]
    length = min(first.num_frames, other.num_frames)
    one, two = (model.generate(clip.audio[:length], identity="person-0") for clip in (first, other))
    assert one.shape == (length, 71)
    assert np.abs(one - two).max() > 1e-3
    begun = model.generate(first.audio, initial=first)
    np.testing.assert_allclose(begun[0, :70], first.motion[0, :70], rtol=1e-5, atol=1e-4)


def test_a_padded_frame_is_zero_for_the_networks_behind_the_map() -> None:
    generator = Generator(audio_size=384).eval()
    assert not generator.reduce(torch.zeros(1, 3, 384)).any()
    with pytest.raises(ValueError, match=r"\(B, T \+ 15, 384\)"):
        generator(torch.zeros(1, 31, 29), torch.zeros(1, 71))


def test_of_29_numbers_the_networks_are_the_papers() -> None:
    names = set(create_facial_gan("small").state_dict())
    wider = set(create_facial_gan("small", speech_features="whisper").state_dict())
    assert wider - names == {"generator.reduce.weight"}
    assert names <= wider


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "official"}, "the official preset reads the scores alone"),
        ({"speech_features": "mel"}, "--speech-features 'mel': choose from deepspeech, whisper"),
    ],
)
def test_what_cannot_be_read_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_recipe(Path("data"), **options)


# --- contract -----------------------------------------------------------------------------------


def test_data_without_states_are_refused_with_what_to_do(without: Path, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="has no audio/whisper: run ttk ingest with --whisper tin"):
        train_facial(make_recipe(without), tmp_path)


def test_a_model_of_states_takes_no_scores(dataset: Path, run: Path) -> None:
    contract = open_facial_gan(run / "best.pt").contract
    scores = make_contract(load_clips(dataset, split="test"))
    message = "--speech-features is {}, but the model was trained with {}"
    with pytest.raises(ToolkitError, match=message.format("deepspeech", "whisper")):
        contract.refuse_others(scores, "data")
    with pytest.raises(ToolkitError, match=message.format("whisper", "deepspeech")):
        scores.refuse_others(contract, "data")


def test_a_contract_made_before_takes_scores(dataset: Path) -> None:
    state = make_contract(load_clips(dataset, split="test")).to_state()
    del state["speech_features"]
    assert Contract.from_state(state).speech_features == "deepspeech"


def test_fine_tuning_names_the_features_of_the_base(
    dataset: Path, run: Path, tmp_path: Path
) -> None:
    settings = {"preset": "small", "epochs": 1, "batch_size": 4, "device": "cpu", "stride": 40}
    recipe = FinetuneRecipe(
        shards=dataset, base=run / "best.pt", identity="person-1", holdout=0.2, **settings
    )
    with pytest.raises(ToolkitError, match=r"was trained on whisper, .*: add --speech-features wh"):
        train_facial(recipe, tmp_path)
    tuned = FinetuneRecipe(**vars(recipe) | {"speech_features": "whisper"})
    train_facial(tuned, tmp_path / "tuned")
    known = open_facial_gan(run / "best.pt").normalisation.audio_mean
    found = open_facial_gan(tmp_path / "tuned" / "best.pt").normalisation.audio_mean
    np.testing.assert_array_equal(known, found)


# --- use ----------------------------------------------------------------------------------------


def test_motion_is_evaluated_on_the_array_that_the_model_reads(dataset: Path, run: Path) -> None:
    """The baselines, too: 64 components hold all there is in states made of 29."""
    found = {s.method: s for s in evaluate_part(str(run / "best.pt"), dataset, "test")}
    assert list(found) == ["model", "constant", "ridge", "real"]
    errors = {name: found[name].expression_error.value for name in ("ridge", "constant")}
    assert errors["ridge"] < 0.5 * errors["constant"]


class FakeStates:
    """States of zeros, as the package would make them."""

    made = MADE

    def provenance(self) -> Provenance:
        return self.made

    def compute_scores(self, pcm: Any, num_frames: int, fps: int) -> npt.NDArray[np.float16]:
        return np.zeros((num_frames, 384), np.float16)


def test_a_recording_is_read_as_the_checkpoint_asks(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "WhisperStates", FakeStates)
    pcm = play_text("abcab")
    wav, out = write_wav(tmp_path / "a.wav", pcm), tmp_path / "m.npz"
    words = ["generate", "--model", str(run / "best.pt"), "--audio", str(wav), "--out", str(out)]
    result = CliRunner().invoke(main, [*words, "--identity", "person-0"])
    assert (result.exit_code, result.stderr.count("\n")) == (0, 1)  # the next line
    assert len(load_motion(out).motion) == len(pcm) * 30 // 16000
    result = CliRunner().invoke(main, [*words, "--weights", str(wav)])
    assert result.exit_code == 1
    assert "leave --weights away" in result.stderr
    contract = open_facial_gan(run / "best.pt").contract
    monkeypatch.setattr(FakeStates, "made", Provenance(backend="tiny-en", version="2"))
    with pytest.raises(ToolkitError, match="whisper is tiny-en 2, but the model was trained with"):
        predict_scores(wav, contract)


def test_a_person_is_ingested_with_what_the_base_reads(run: Path) -> None:
    contract = open_facial_gan(run / "best.pt").contract
    assert plan_ingest(contract).whisper == "tiny-en"
    scores = Contract(layout=contract.layout, fps=30, scale="log_prob", backends={})
    assert plan_ingest(scores).whisper == "none"


def test_statistics_of_half_precision_are_those_of_single(dataset: Path) -> None:
    """Of states that are stored as float16, whose sums would not hold in it."""
    clips = list(load_clips(dataset, split="train", speech_features="whisper"))
    known = Normalisation.fit(clips)
    values = known.normalise_audio(np.concatenate([clip.audio for clip in clips]))
    assert values.dtype == np.float32
    np.testing.assert_allclose(values.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(values.std(0), 1, atol=1e-3)
