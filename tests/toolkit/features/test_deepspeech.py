"""The speech network: published layout, spectrogram, alignment, pieces, frame clock."""

import io
import os
import pickle
import sys
import tempfile
import types
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from scipy import signal

from tests.networks import TINY, make_random_network
from toolkit import weights
from toolkit.errors import SetupError, StorageError, ToolkitError
from toolkit.features.deepspeech import (
    DeepSpeech,
    DeepSpeechCheckpoint,
    decode_greedy,
    infer_scores,
    interpolate_scores,
)
from toolkit.features.deepspeech_network import (
    PUBLISHED_LABELS,
    DeepSpeechNetwork,
    NetworkSizes,
    infer_sizes,
    load_network,
)
from toolkit.features.spectrogram import compute_spectrogram
from toolkit.schema import DEEPSPEECH_SYMBOLS, ClipInput
from toolkit.storage import hash_file

ALL_SIZES = [
    TINY,
    NetworkSizes(conv_channels=(4, 4), rnn_type="lstm", hidden_size=8, num_layers=3),
    NetworkSizes(
        conv_channels=(2, 2), rnn_type="gru", hidden_size=6, bidirectional=False, lookahead=5
    ),
    NetworkSizes(conv_channels=(1, 2), rnn_type="rnn", hidden_size=5, num_layers=1),
]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_pcm(seconds: float, seed: int = 0) -> npt.NDArray[np.int16]:
    random = np.random.default_rng(seed)
    num = round(seconds * 16000)
    loudness = 1 + np.sin(np.arange(num) / 3000)
    samples: npt.NDArray[np.int16] = (random.standard_normal(num) * 3000 * loudness).astype("<i2")
    return samples


def make_network(sizes: NetworkSizes = TINY) -> DeepSpeechNetwork:
    """Random weights, and norms that are not the identity."""
    network = make_random_network(sizes)
    random = torch.Generator().manual_seed(1)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=random))
        elif name.endswith("running_mean"):
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=random))
    network.get_parameter("fc.0.module.1.weight").data *= 8
    return network


def make_clip(pcm: npt.NDArray[np.int16], num_frames: int, fps: int) -> ClipInput:
    def never() -> Any:
        raise AssertionError("speech features read nothing but the sound")

    return ClipInput(
        clip_id="c", path=Path("c.mp4"), fps=fps, start_frame=0, num_frames=num_frames,
        picture_size=(1, 1), intrinsics=(1, 1, 0, 0), crop=(0, 0, 1, 1),
        valid=np.ones(num_frames, bool), source_time=np.arange(num_frames) / fps,
        source_index=np.arange(num_frames), source_num_frames=num_frames,
        load_landmarks=never, load_pcm=lambda: pcm, read_frames=never,
    )  # fmt: skip


def published_order(
    network: DeepSpeechNetwork, labels: str = PUBLISHED_LABELS
) -> dict[str, torch.Tensor]:
    """State dict with the rows of the last layer in the order of the labels."""
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    rows = [DEEPSPEECH_SYMBOLS.index(label) for label in labels.lower()]
    state["fc.0.module.1.weight"] = state["fc.0.module.1.weight"][rows]
    return state


def make_class(monkeypatch: pytest.MonkeyPatch, module: str, name: str, base: type = object) -> Any:
    """A class that can be pickled under a package that is not installed here."""
    parts = module.split(".")
    for parent in (".".join(parts[:depth]) for depth in range(1, len(parts) + 1)):
        if parent not in sys.modules:
            monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
    if not hasattr(sys.modules[module], name):
        made = type(name, (base,), {"__module__": module, "__qualname__": name})
        monkeypatch.setattr(sys.modules[module], name, made, raising=False)
    return getattr(sys.modules[module], name)


def make_config(monkeypatch: pytest.MonkeyPatch, **values: object) -> object:
    """What Lightning stores: an omegaconf container with metadata, nodes, types, defaultdict."""
    container = make_class(monkeypatch, "omegaconf.dictconfig", "DictConfig")()
    node = make_class(monkeypatch, "omegaconf.nodes", "AnyNode")
    metadata = make_class(monkeypatch, "omegaconf.base", "ContainerMetadata")()
    container._metadata = metadata
    metadata.ref_type = Any
    metadata.object_type = make_class(
        monkeypatch, "deepspeech_pytorch.configs.train_config", "SpectConfig"
    )
    metadata.resolver_cache = defaultdict(dict)
    container._content = {}
    for name, value in values.items():
        container._content[name] = node()
        container._content[name]._val = value
    return container


class _Call:
    """Pickles as the call of a function."""

    def __init__(self, function: object, *args: object) -> None:
        self.call = (function, args)

    def __reduce__(self) -> Any:
        return self.call


def write_checkpoint(
    path: Path, network: DeepSpeechNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The layout of the published Lightning checkpoints: pickled configs beside the tensors."""
    rnn_type = make_class(monkeypatch, "deepspeech_pytorch.enums", "RNNType")
    handler = make_class(monkeypatch, "deepspeech_pytorch.checkpoint", "FileCheckpointHandler")
    hyper = make_class(monkeypatch, "pytorch_lightning.utilities.parsing", "AttributeDict", dict)
    hyper_parameters = hyper(
        labels=list(PUBLISHED_LABELS),
        model_cfg=make_config(
            monkeypatch,
            rnn_type=_Call(rnn_type, torch.nn.LSTM),
            hidden_size=network.sizes.hidden_size,
        ),
        spect_cfg=make_config(monkeypatch, sample_rate=16000, window_size=0.02),
    )
    content = {
        "epoch": 3,
        "pytorch-lightning_version": "1.1.0",
        "callbacks": {handler: {"best_model_score": torch.tensor(10.5)}},
        "hparams_name": "kwargs",
        "hyper_parameters": hyper_parameters,
        "state_dict": published_order(network),
    }
    monkeypatch.setattr(rnn_type, "__init__", lambda self, *_: None, raising=False)
    torch.save(content, path)

    def fail(*_: object) -> None:
        raise AssertionError("the real class was built")

    monkeypatch.setattr(sys.modules["omegaconf.dictconfig"].DictConfig, "__setstate__", fail, False)
    monkeypatch.setattr(rnn_type, "__init__", fail)


@pytest.mark.parametrize("sizes", ALL_SIZES, ids=str)
def test_published_layout_gives_the_scores_of_the_network_it_was_made_from(
    sizes: NetworkSizes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make_network(sizes)
    path = tmp_path / "published.ckpt"
    write_checkpoint(path, network, monkeypatch)

    loaded = load_network(path)

    assert loaded.sizes == sizes
    assert loaded.delay == 0
    pcm = make_pcm(1.0)
    np.testing.assert_array_equal(infer_scores(loaded, pcm), infer_scores(network, pcm))


@pytest.mark.parametrize("labels", [PUBLISHED_LABELS, PUBLISHED_LABELS[::-1]])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_version_2_layout_loads_with_its_own_labels(
    zipped: bool, labels: str, tmp_path: Path
) -> None:
    network, path = make_network(), tmp_path / "v2.pth"
    content = {
        "version": "0.0.1", "hidden_size": 12, "rnn_type": "gru", "labels": labels,
        "audio_conf": {"sample_rate": 16000, "window": "hamming"}, "avg_loss": np.float64(1.5),
        "state_dict": published_order(network, labels),
    }  # fmt: skip
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    pcm = make_pcm(0.5)
    np.testing.assert_array_equal(infer_scores(load_network(path), pcm), infer_scores(network, pcm))
    torch.save(content | {"labels": labels[1:] + "?"}, path)
    with pytest.raises(SetupError, match="labels"):
        load_network(path)


def test_published_sizes_are_inferred_from_shapes_alone() -> None:
    sizes = NetworkSizes(
        conv_channels=(32, 32), rnn_type="lstm", hidden_size=1024, num_layers=5
    )  # the published LibriSpeech network
    with torch.device("meta"):
        state = DeepSpeechNetwork(sizes).state_dict()

    assert state["rnns.0.rnn.weight_ih_l0"].shape == (4096, 1312)  # 32 channels × 41 bins
    assert infer_sizes(state) == sizes
    expected = {
        "conv.seq_module.0.weight", "conv.seq_module.1.running_mean", "conv.seq_module.3.bias",
        "conv.seq_module.4.weight", "rnns.0.rnn.weight_ih_l0", "rnns.0.rnn.bias_hh_l0_reverse",
        "rnns.1.batch_norm.module.weight", "rnns.4.rnn.weight_hh_l0_reverse",
        "fc.0.module.0.running_var", "fc.0.module.1.weight",
    }  # fmt: skip
    assert expected <= set(state)
    assert "rnns.0.batch_norm.module.weight" not in state


@pytest.mark.parametrize(
    "attack",
    [
        _Call(os.system, "echo pwned > pwned"),
        _Call(eval, "open('pwned', 'w')"),
        _Call(getattr, _Call(__import__, "os"), "system"),
        _Call(exec, "open('pwned', 'w')"),
    ],
    ids=["os.system", "eval", "getattr", "exec"],
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_malicious_checkpoint_is_refused_and_runs_nothing(
    attack: _Call, zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.ckpt"
    content = {"state_dict": published_order(make_network()), "hyper_parameters": attack}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)

    with pytest.raises(ToolkitError, match=r"evil\.ckpt: refused"):
        load_network(path)

    assert not (tmp_path / "pwned").exists()


def test_damaged_and_foreign_files_are_one_line_errors(tmp_path: Path) -> None:
    torch.save({"state_dict": published_order(make_network())}, tmp_path / "whole.ckpt")
    content = (tmp_path / "whole.ckpt").read_bytes()
    cases = {
        "cut.ckpt": content[: len(content) // 2],
        "empty.ckpt": b"",
        "text.ckpt": b"not a checkpoint",
        "text.safetensors": b"not safetensors",
        "pickle.ckpt": pickle.dumps({"a": 1}),
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SetupError, match=name):
            load_network(tmp_path / name)
    with pytest.raises(SetupError, match="no such weights file"):
        load_network(tmp_path / "missing.ckpt")


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    state = published_order(make_network())
    without = {k: v for k, v in state.items() if k != "rnns.1.batch_norm.module.weight"}
    unpadded = state | {"rnns.0.rnn.weight_ih_l0": torch.zeros(36, 3 * 21)}  # V1: no padding
    for name, wrong in {"without.ckpt": without, "v1.ckpt": unpadded, "none.ckpt": {}}.items():
        torch.save({"state_dict": wrong}, tmp_path / name)
        with pytest.raises(SetupError, match=f"{name}: not a network"):
            load_network(tmp_path / name)


def test_safetensors_in_half_precision_load_in_the_stored_order(tmp_path: Path) -> None:
    network = make_network()
    state = {k: v for k, v in network.state_dict().items() if v.is_floating_point()}
    save_file({k: v.half().contiguous() for k, v in state.items()}, tmp_path / "small.safetensors")

    loaded = load_network(tmp_path / "small.safetensors")

    assert all(p.dtype == torch.float32 for p in loaded.parameters())
    pcm = make_pcm(1.0)
    difference = np.abs(infer_scores(loaded, pcm) - infer_scores(network, pcm))
    assert 0 < difference.max() < 0.02


def write_safetensors(
    path: Path, network: DeepSpeechNetwork, metadata: dict[str, str] | None = None
) -> Path:
    save_file({name: x.contiguous() for name, x in network.state_dict().items()}, path, metadata)
    return path


def test_weights_tell_how_late_they_are(tmp_path: Path) -> None:
    """In seconds; not at all where nothing is said, and never by a text that is no number."""
    network, path = make_network(), tmp_path / "w.safetensors"
    assert load_network(write_safetensors(path, network)).delay == 0
    assert load_network(write_safetensors(path, network, {"delay": "0.0625"})).delay == 0.0625
    with pytest.raises(SetupError, match=r"w\.safetensors: .*soon"):
        load_network(write_safetensors(path, network, {"delay": "soon"}))


def test_spectrogram_equals_scipys() -> None:
    pcm = make_pcm(2.345)
    window = signal.get_window("hamming", 320)
    *_, stft = signal.stft(pcm / 32767, window=window, nperseg=320, boundary="even", padded=False)
    stft *= window.sum()  # scipy's scaling
    expected = np.log1p(np.abs(stft))
    expected = (expected - expected.mean()) / expected.std(ddof=1)

    result = compute_spectrogram(pcm)

    assert result.dtype == np.float32
    assert result.shape == expected.shape == (161, 1 + len(pcm) // 160)
    np.testing.assert_allclose(result, expected, atol=2e-5)


def test_spectrogram_of_silence_is_zero_and_of_wrong_input_an_error() -> None:
    assert not compute_spectrogram(np.zeros(5000, np.int16)).any()
    for wrong in (np.zeros(0, np.int16), np.zeros((2, 9), np.int16), np.zeros(9, np.float32)):
        with pytest.raises(ValueError, match="int16"):
            compute_spectrogram(wrong)  # type: ignore[arg-type]


def test_outputs_are_log_probabilities() -> None:
    scores = infer_scores(make_network(), make_pcm(1.0))
    assert scores.shape == (51, 29)
    np.testing.assert_allclose(np.exp(scores).sum(1), 1, atol=1e-5)
    assert scores.std() > 0.1


def test_an_impulse_moves_the_convolutions_symmetrically_around_its_time() -> None:
    """Both kernels symmetric in time: what an impulse in frame 2k changes is centred on k."""
    network = make_network()
    stack: Any = network.get_submodule("conv.seq_module")
    for index in (0, 3):
        weight = stack[index].weight
        weight.data = (weight + weight.flip(-1)).detach().abs()
    spectrogram = torch.zeros(2, 1, 161, 201)
    spectrogram[1, ..., 100] = 1.0
    with torch.inference_mode():
        silent, heard = stack(spectrogram)
    change = (heard - silent).abs().sum((0, 1)).numpy()
    assert change.argmax() == 50
    np.testing.assert_allclose(change[40:50], change[60:50:-1], rtol=1e-4)
    assert change[:42].max() == change[59:].max() == 0  # reach: 2 + 5 outputs either side


def test_sound_played_backwards_gives_the_scores_backwards() -> None:
    """No lag from sound to score: a network that is symmetric in time must see none either.

    Of 320·m + 1 samples the last lies at output m, so that k and m − k are mirror images, but for
    the window of 320 samples around each frame, which has one more before its middle than behind.
    """
    network = make_network()
    for name, parameter in network.named_parameters():
        if parameter.dim() == 4:
            parameter.data = (parameter + parameter.flip(-1)).detach()
        elif name.endswith("_reverse"):
            parameter.data = network.get_parameter(name.removesuffix("_reverse")).detach()
    pcm = make_pcm(3.0, seed=3)[: 320 * 120 + 1]
    scores = infer_scores(network, pcm)
    backwards = infer_scores(network, pcm[::-1].copy())[::-1]
    lag = np.abs(scores - backwards).mean()
    assert lag < 0.1 * np.abs(scores[1:] - backwards[:-1]).mean()  # one output late
    assert lag < 0.1 * np.abs(scores[:-1] - backwards[1:]).mean()  # one output early


TINY_NETWORK = make_random_network()


@given(st.integers(1, 8000))
@settings(max_examples=25, deadline=None)
def test_fifty_outputs_a_second_whatever_the_length(num_samples: int) -> None:
    scores = infer_scores(TINY_NETWORK, np.ones(num_samples, np.int16))
    assert scores.shape == (1 + num_samples // 320, 29)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("sizes", [NetworkSizes(), *ALL_SIZES], ids=str)
def test_pieces_give_the_result_of_the_whole(sizes: NetworkSizes) -> None:
    """Also where the network never forgets: gates that are held open carry the first second on."""
    network = make_network(sizes)
    for name, parameter in network.named_parameters():
        if ".bias_ih" in name or ".bias_hh" in name:
            parameter.data += 1.5
    pcm = make_pcm(16.3)
    whole = infer_scores(network, pcm, piece=816)
    for piece in (815, 100, 31):
        pieces = infer_scores(network, pcm, piece=piece)
        assert pieces.shape == whole.shape == (816, 29)
        np.testing.assert_allclose(pieces, whole, atol=1e-4)


def test_a_full_disk_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(StorageError, match="no room for temporary files"):
        infer_scores(TINY_NETWORK, make_pcm(1.0), piece=20)


@pytest.mark.parametrize("sizes", ALL_SIZES, ids=str)
def test_a_padded_batch_gives_each_item_its_own_scores(sizes: NetworkSizes) -> None:
    network = make_network(sizes)
    lengths = torch.tensor([40, 97, 64])
    items = [torch.randn(161, int(n), generator=torch.Generator().manual_seed(0)) for n in lengths]
    batch = torch.zeros(3, 161, 97)
    for index, item in enumerate(items):
        batch[index, :, : item.shape[1]] = item
    with torch.inference_mode():
        together = network(batch, lengths)
        for index, item in enumerate(items):
            alone = network(item[None])[0]
            tail = sizes.lookahead  # looks into the padding, which differs behind the end
            num = len(alone) - tail
            torch.testing.assert_close(together[index, :num], alone[:num], atol=1e-5, rtol=1e-4)


def test_greedy_text_merges_repeats_and_drops_blanks() -> None:
    path = "__hh_e_l_ll_oo__ _ii''m_"
    scores = np.full((len(path), 29), -9, np.float32)
    scores[np.arange(len(path)), [DEEPSPEECH_SYMBOLS.index(c) for c in path]] = 0
    assert decode_greedy(scores) == "hello i'm"


def test_interpolation_by_hand() -> None:
    """At 30 fps frame 1 lies at output 5/3, frame 2 at 10/3; the last frames are clamped."""
    scores = np.arange(5, dtype=np.float32)[:, None] ** 2 * np.ones((1, 29), np.float32)
    result = interpolate_scores(scores, 6, 30)
    # 1/3·1 + 2/3·4 = 3; 2/3·9 + 1/3·16 = 34/3; frame 3 lies at output 5: clamped to 4
    np.testing.assert_allclose(result[:, 7], [0, 3, 34 / 3, 16, 16, 16], rtol=1e-6)
    np.testing.assert_array_equal(interpolate_scores(scores, 2, 25)[:, 0], [0, 4])


@given(st.integers(1, 300), st.sampled_from([25, 30]), st.integers(-700, 700))
@settings(max_examples=40, deadline=None)
def test_an_array_has_exactly_the_clips_frames(num_frames: int, fps: int, excess: int) -> None:
    num_scores = max(1, 1 + (num_frames * 16000 // fps + excess) // 320)
    result = interpolate_scores(np.zeros((num_scores, 29), np.float32), num_frames, fps)
    assert result.shape == (num_frames, 29)
    assert result.dtype == np.float32


@given(st.floats(0, 0.5), st.sampled_from([25, 30]))
@settings(max_examples=40, deadline=None)
def test_scores_that_come_late_are_moved_back_to_their_frames(delay: float, fps: int) -> None:
    """A score that is a multiple of its time t comes at output 50 · (t + delay), and goes to t."""
    heard = np.arange(201) / 50  # s: 4 s of outputs, enough for 3 s of frames and the delay
    late = ((heard - delay)[:, None] * np.arange(29)).astype(np.float32)

    scores = interpolate_scores(late, 3 * fps, fps, delay)

    times = np.arange(3 * fps) / fps
    np.testing.assert_allclose(scores, times[:, None] * np.arange(29), atol=1e-4)


def test_without_the_embedded_weights_one_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "ASSETS", tmp_path)
    with pytest.raises(SetupError, match=r"small\.safetensors: .*missing: install .* again"):
        DeepSpeech()


def test_the_embedded_file_is_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its delay is taken off: at 25 frames a second, 40 ms are the next frame's two outputs."""
    monkeypatch.setattr(weights, "ASSETS", tmp_path)
    network = make_network()
    path = write_safetensors(tmp_path / "deepspeech_small.safetensors", network, {"delay": "0.04"})
    pcm = make_pcm(2.0)

    extractor = DeepSpeech()
    scores = extractor.extract(make_clip(pcm, 48, 25))["audio/deepspeech"]

    provenance = extractor.provenance()
    assert provenance.backend == "embedded"
    rule = "normalised by stretches of speech"  # the file states no scale
    assert provenance.version == f"deepspeech_small 2x12 gru bidirectional, {rule}"
    assert provenance.weights_sha256 == hash_file(path)
    assert provenance.note == ""
    assert (scores.shape, str(scores.dtype)) == ((48, 29), "float32")
    expected = infer_scores(network, pcm)[np.arange(48) * 2 + 2]
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_the_network_that_comes_with_the_toolkit_is_whole() -> None:
    """Small, and of a kind that a signal of any length can run through."""
    path = weights.locate("deepspeech_small")
    assert path.stat().st_size < 12e6
    scores = DeepSpeech().extract(make_clip(make_pcm(1.0), 30, 30))["audio/deepspeech"]
    assert scores.shape == (30, 29)
    assert (np.exp(scores).sum(1) <= 1.001).all()  # a mean of logarithms is not over theirs


def test_checkpoint_backend_runs_the_users_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, path = make_network(), tmp_path / "mine.ckpt"
    write_checkpoint(path, network, monkeypatch)
    extractor = DeepSpeechCheckpoint(weights=path)
    pcm = make_pcm(1.0)

    arrays = extractor.extract(make_clip(pcm, 25, 25))

    expected = infer_scores(network, pcm)[np.arange(25) * 2]  # 25 fps: every second output
    np.testing.assert_array_equal(arrays["audio/deepspeech"], expected)
    assert extractor.provenance().backend == "checkpoint"
    assert extractor.provenance().weights_sha256 == hash_file(path)


def test_the_checkpoint_backend_without_a_file_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTK_WEIGHTS", str(tmp_path))
    with pytest.raises(SetupError, match="--weights FILE, or ttk weights --fetch"):
        DeepSpeechCheckpoint()
