"""A copy of a dataset whose sound is scored by other weights."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.torch import save_file

from tests.datasets import FakeClip, write_dataset
from tests.networks import make_random_network
from tests.runs import read_clips
from toolkit.dataset.manifest import read_table
from toolkit.dataset.shard import ShardReader, verify_shard
from toolkit.features.deepspeech import infer_scores, interpolate_scores, load_network
from toolkit.media.codec import Pcm
from toolkit.schema import Provenance
from toolkit.storage import hash_file
from zoo.data import load_clips
from zoo.evaluation import rescore
from zoo.evaluation.rescore import rescore_dataset

OTHERS = {"deepspeech_backend", "options_digest", "source", "ingested_at"}
"""Columns that differ from the dataset's."""


def make_two(folder: Path) -> Path:
    """Two jobs; the first has two clips, pictures are stored."""
    clips = [FakeClip(source=f"videos/{k}.mp4", num_frames=40 + k) for k in range(3)]
    (folder / "data" / "videos").mkdir(parents=True)
    for clip in clips:
        (folder / "data" / clip.source).write_bytes(b"video")
    return write_dataset(folder / "data", {"a": clips[:2], "b": clips[2:]}, frame_size=32)


def save_weights(path: Path) -> Path:
    save_file({k: x.contiguous() for k, x in make_random_network().state_dict().items()}, path)
    return path


def test_a_copy_has_the_scores_of_its_sound_and_all_else_as_it_was(tmp_path: Path) -> None:
    dataset, weights = make_two(tmp_path), save_weights(tmp_path / "mine.safetensors")
    out = tmp_path / "elsewhere" / "copy"
    rescore_dataset(dataset, out, weights)
    before, after = read_clips(dataset), read_clips(out)
    assert before.keys() == after.keys()
    for clip, old in before.items():
        new = after[clip]
        assert new["arrays"].pop("audio/deepspeech") != old["arrays"].pop("audio/deepspeech")
        assert new["arrays"] == old["arrays"]
        assert (new["jpegs"], new["crop"]) == (old["jpegs"], old["crop"])
        same = old["row"].keys() - OTHERS
        assert {k: new["row"][k] for k in same} == {k: old["row"][k] for k in same}
        assert (out / new["row"]["source"]).resolve() == (dataset / old["row"]["source"]).resolve()
    reader = ShardReader(out / "shards" / "a.h5")
    verify_shard(reader.path)
    scores = infer_scores(load_network(weights), reader.read("audio/pcm", 1))
    expected = interpolate_scores(scores, 41, 30)
    np.testing.assert_allclose(reader.read("audio/deepspeech", 1), expected, atol=1e-6)
    coefficients = ShardReader(dataset / "shards" / "a.h5").read("clips/identity_coefficients", 1)
    np.testing.assert_array_equal(reader.read("clips/identity_coefficients", 1), coefficients)


def test_a_copy_names_the_weights_that_scored_it(tmp_path: Path) -> None:
    dataset, weights = make_two(tmp_path), save_weights(tmp_path / "mine.safetensors")
    rescore_dataset(dataset, tmp_path / "copy", weights)
    reader = ShardReader(tmp_path / "copy" / "shards" / "b.h5")
    assert reader.provenance["deepspeech"].weights_sha256 == hash_file(weights)
    assert reader.options["weights"] == str(weights)
    rows = read_table(tmp_path / "copy", "clips")
    assert set(rows["deepspeech_backend"].str.split().str[0]) == {"checkpoint"}
    assert rows["options_digest"].nunique() == 1
    assert len(read_table(tmp_path / "copy", "sources")) == 3
    rescore_dataset(dataset, tmp_path / "embedded")
    reader = ShardReader(tmp_path / "embedded" / "shards" / "b.h5")
    assert reader.provenance["deepspeech"].backend == "embedded"


def test_a_copy_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    """What stands is not written again; the job whose sources are not there is."""
    dataset, weights = make_two(tmp_path), save_weights(tmp_path / "mine.safetensors")
    rescore_dataset(dataset, tmp_path / "copy", weights)
    whole = read_clips(tmp_path / "copy")
    (tmp_path / "copy" / "manifests" / "sources" / "b.parquet").unlink()
    (tmp_path / "copy" / "shards" / "b.h5").unlink()
    first = (tmp_path / "copy" / "shards" / "a.h5").stat().st_mtime_ns
    rescore_dataset(dataset, tmp_path / "copy", weights)
    assert (tmp_path / "copy" / "shards" / "a.h5").stat().st_mtime_ns == first
    assert read_clips(tmp_path / "copy") == whole


class FakeStates:
    """In place of Whisper's network: every number of frame t is t."""

    def provenance(self) -> Provenance:
        return Provenance(backend="tiny-en", version="1, fake", weights_sha256="0" * 64)

    def compute_scores(self, pcm: Pcm, num_frames: int, fps: int) -> npt.NDArray[np.float16]:
        return np.tile(np.arange(num_frames, dtype=np.float16)[:, None], (1, 384))


def test_a_copy_may_have_states_beside_the_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescore, "WhisperStates", FakeStates)
    dataset = make_two(tmp_path)
    rescore_dataset(dataset, tmp_path / "copy", with_states=True)
    reader = ShardReader(tmp_path / "copy" / "shards" / "a.h5")
    verify_shard(reader.path)
    np.testing.assert_array_equal(reader.read("audio/whisper", 1)[:, 383], np.arange(41))
    assert "audio/deepspeech" in reader.names
    rows = read_table(tmp_path / "copy", "clips")
    assert set(rows["whisper_backend"]) == {"tiny-en 1, fake"}
    clips = load_clips(tmp_path / "copy", split=None, min_frames=1, speech_features="whisper")
    assert [clip.audio.shape[1] for clip in clips] == [384, 384, 384]
