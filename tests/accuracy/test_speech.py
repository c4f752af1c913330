"""The measurements behind the speech tables of docs/accuracy.md, on data whose truth is known."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pytest import MonkeyPatch
from scipy.ndimage import uniform_filter1d

from tests import ROOT
from tests.accuracy import speech_errors, speech_features
from tests.accuracy.ridge import (
    MAX_NUMBERS,
    PENALTIES,
    Rows,
    cut_folds,
    fit_reduction,
    fit_ridge,
    list_rows,
    measure_fit,
    predict_blocks,
    read_windows,
)
from tests.accuracy.sound import (
    NUM_BANDS,
    WINDOW,
    compute_mel,
    make_applause,
    make_babble,
    make_music,
    make_pink,
    mix,
    rescale,
    set_level,
)
from tests.accuracy.speech import find_speech_weights, list_tables
from tests.accuracy.speech_errors import tabulate_rates
from tests.accuracy.speech_features import clock, list_features
from tests.accuracy.speech_official import find_lag, measure_agreement
from tests.accuracy.speech_probe import (
    LEVELS,
    NOISES,
    Result,
    average,
    draw_errors,
    tabulate_fits,
)
from tests.accuracy.speech_probe import tabulate_errors as tabulate_probe_errors
from tests.networks import make_random_network
from tests.tones import write_speech
from toolkit.features import whisper
from toolkit.features.deepspeech import DeepSpeechNetwork, NetworkSizes

RATE = 16_000
NUM_SYMBOLS, BLANK = 29, 28


# --- ridge --------------------------------------------------------------------------------------


def test_no_row_that_is_fitted_on_lies_within_the_gap_of_those_judged() -> None:
    starts = np.r_[0:70, 103:200]  # a training set with a hole, as inside an outer fold
    rows = Rows(starts, np.zeros(len(starts), int))
    judged = []
    for fitted, block in cut_folds(rows, 4, gap=WINDOW):
        distance = np.abs(starts[fitted][:, None] - starts[block][None])
        assert distance.min() > WINDOW
        assert (np.diff(block) == 1).all()
        judged.append(block)
    assert np.array_equal(np.concatenate(judged), np.arange(len(starts)))


def test_recordings_are_judged_whole_and_each_once() -> None:
    rows = list_rows([20, 30, 17, 16, 40, 25, 22])
    judged = []
    for fitted, block in cut_folds(rows, 3, gap=WINDOW):
        assert not set(rows.recordings[fitted]) & set(rows.recordings[block])
        assert len(fitted) + len(block) == len(rows.starts)
        judged.append(sorted(set(rows.recordings[block].tolist())))
    assert judged == [[0, 3, 6], [1, 4], [2, 5]]


def test_no_window_crosses_from_one_recording_to_the_next() -> None:
    rows = list_rows([18, 15, 17])  # the second is shorter than a window
    assert rows.starts.tolist() == [0, 1, 2, 33, 34]
    assert rows.recordings.tolist() == [0, 0, 0, 2, 2]


def test_index_8_of_a_window_is_the_frame_itself() -> None:
    windows = read_windows(np.arange(40.0).reshape(20, 2), np.arange(5)).reshape(-1, WINDOW, 2)
    assert windows.shape == (5, 16, 2)
    assert windows[0, 8].tolist() == [16.0, 17.0]


def test_a_known_linear_map_is_found() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal([3, -2, 50], [1, 4, 20], (500, 3))
    y = 7 + x @ [0.5, -0.25, 0.01]
    rows = list_rows([300, 200])
    true = y[rows.starts + 8]
    assert measure_fit(predict_blocks({"same": x}, "same", true, rows)["same"], true)[0] > 0.9999
    ridge = fit_ridge(x, y, np.array([1e-12]))
    assert ridge.weights[:, 0] / ridge.scale == pytest.approx([0.5, -0.25, 0.01])


def test_the_penalty_is_that_of_ridge_regression() -> None:
    """One number of variance 1: the slope shrinks to slope / (1 + penalty)."""
    x = np.array([[-1.0], [1.0], [-1.0], [1.0]])
    weights = fit_ridge(x, 3 * x[:, 0], np.array([0.5, 2.0])).weights
    assert weights[0] == pytest.approx([2.0, 1.0])


def test_all_components_give_the_ridge_on_all_standardised_numbers() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal([3, -2, 50], [1, 4, 20], (80, 3))
    y = rng.normal(size=80)
    components = fit_reduction(x, 3).apply(x)
    found = fit_ridge(components, y, PENALTIES, standardise=False).predict(components)
    assert found == pytest.approx(fit_ridge(x, y, PENALTIES).predict(x))


def test_what_few_directions_of_many_numbers_tell_is_found() -> None:
    rng = np.random.default_rng(7)
    hidden = rng.normal(size=(400, 2))
    frames = hidden @ rng.normal(size=(2, MAX_NUMBERS + 40)) + 50
    rows = list_rows([400])
    true = hidden[rows.starts + 8, 0]
    found = predict_blocks({"x": frames}, "x", true, rows)["x"]
    assert measure_fit(found, true)[0] > 0.999


def test_neighbours_of_what_is_judged_do_not_leak_into_the_fit() -> None:
    """A target with no bearing on the windows cannot be told from blocks of time.

    It could be if each row were a recording of its own, whose neighbours, much alike, were
    fitted on.
    """
    rng = np.random.default_rng(1)
    smooth = uniform_filter1d(rng.normal(size=(500, 21)), 12, axis=0)
    rows = list_rows([500])
    x, y = {"x": smooth[:, 1:]}, smooth[rows.starts + 8, 0]
    assert measure_fit(predict_blocks(x, "x", y, rows)["x"], y)[0] < 0.05
    mixed = Rows(rows.starts, rng.permutation(len(rows.starts)))
    assert measure_fit(predict_blocks(x, "x", y, mixed)["x"], y)[0] > 0.5


def test_only_the_rows_of_a_block_change_with_what_is_heard_there() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(135, 3))
    noisy = x.copy()
    noisy[:20] += 5
    rows = list_rows([135])
    heard = {"clean": x, "noisy": noisy}
    found = predict_blocks(heard, "clean", x[rows.starts + 8].sum(1), rows)
    assert np.array_equal(found["clean"][20:], found["noisy"][20:])
    assert found["noisy"][:12] - found["clean"][:12] == pytest.approx(15, rel=0.15)


def test_a_guess_of_the_mean_tells_nothing_of_the_variance() -> None:
    true = np.array([1.0, 2.0, 6.0])
    assert measure_fit(np.array([3.0, 3.0, 3.0 + 1e-9]), true)[0] == pytest.approx(0, abs=1e-6)
    assert measure_fit(true + 1, true) == pytest.approx((1 - 3 / 14, 1.0))


# --- sound --------------------------------------------------------------------------------------


@pytest.mark.parametrize("decibels", [20, 0])
def test_noise_is_so_many_decibels_under_the_speech(decibels: int) -> None:
    rng = np.random.default_rng(3)
    pcm = np.round(rng.normal(0, 1000, RATE)).astype(np.int16)
    for noise in (make_pink(RATE), make_babble([pcm[:5000][::-1], pcm[7000:9000]], RATE)):
        added = mix(pcm, noise, decibels).astype(float) - pcm
        ratio = 10 * np.log10(np.mean(pcm.astype(float) ** 2) / np.mean(added**2))
        assert ratio == pytest.approx(decibels, abs=0.05)


def test_a_sum_too_loud_for_int16_becomes_quieter_and_is_not_clipped() -> None:
    pcm = (30_000 * np.sin(np.arange(RATE) / 10)).astype(np.int16)
    mixed = mix(pcm, make_pink(RATE), 0)
    assert np.abs(mixed.astype(int)).max() == 32767
    assert (np.abs(mixed.astype(int)) >= 32766).sum() <= 2


def test_pink_noise_is_as_strong_in_each_octave() -> None:
    power = np.abs(np.fft.rfft(make_pink(2**17))) ** 2
    hertz = np.fft.rfftfreq(2**17, 1 / RATE)
    octaves = [power[(hertz >= low) & (hertz < 2 * low)].sum() for low in (250, 1000, 4000)]
    assert octaves == pytest.approx([octaves[0]] * 3, rel=0.15)


def test_a_tone_stands_in_its_mel_band_at_its_moment() -> None:
    """1000 Hz is 1000 mel, of 2840 up to 8000 Hz, 41 steps: nearest to centre 14.4, band 13."""
    seconds = np.arange(2 * RATE) / RATE
    pcm = np.where(seconds >= 1, 8000 * np.sin(2 * np.pi * 1000 * seconds), 0).astype(np.int16)
    mel = compute_mel(pcm, 60, 30)
    assert mel.shape == (60, NUM_BANDS)
    assert int(mel[45].argmax()) == 13
    assert mel[28, 13] < mel[31, 13] - 10  # the window of frame 28 ends at 0.965 s


def test_a_gain_and_an_offset_of_a_recording_are_rescaled_away() -> None:
    clean = np.random.default_rng(5).normal([1, -4], [2, 0.1], (50, 2))
    assert rescale(3 * clean + 7, clean) == pytest.approx(clean)


def test_so_many_bands_as_are_asked_for() -> None:
    """8 bands, 9 steps of 315.6 mel: 1000 mel is nearest to centre 3.2, band 2."""
    tone = (8000 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)).astype(np.int16)
    mel = compute_mel(tone, 30, 30, num_bands=8)
    assert mel.shape == (30, 8)
    assert int(mel[15].argmax()) == 2


@pytest.mark.parametrize("make", [make_applause, make_music])
def test_applause_and_music_never_pause(make: Callable[..., np.ndarray]) -> None:
    sound = make(5 * RATE)
    assert len(sound) == 5 * RATE
    assert sound.std() == pytest.approx(1)
    assert sound.reshape(-1, RATE // 2).std(1).min() > 0.2
    assert np.array_equal(sound, make(5 * RATE))
    assert not np.array_equal(sound, make(5 * RATE, seed=1))


def test_music_has_pitches_and_applause_has_none() -> None:
    """Share of the power in the strongest hundredth of the frequencies."""
    shares = []
    for sound in (make_music(4 * RATE), make_applause(4 * RATE)):
        power = np.sort(np.abs(np.fft.rfft(sound)) ** 2)
        shares.append(power[-len(power) // 100 :].sum() / power.sum())
    assert shares[0] > 0.8
    assert shares[1] < 0.3


def test_a_level_is_that_under_full_scale_and_nothing_clips() -> None:
    square = np.where(np.arange(RATE) % 2, 1.0, -1.0)
    assert np.abs(set_level(square, -20)).max() == 3277
    spike = np.zeros(RATE)
    spike[5] = 1
    assert set_level(spike, -20).max() == 32767  # its root mean square stays lower


# --- features -----------------------------------------------------------------------------------


def test_outputs_are_brought_to_the_frames_without_their_delay() -> None:
    """Output k is k: frame t at 25 a second stands 2·t outputs in, and 0.1 s is 5 outputs."""
    feature = clock(lambda pcm: np.arange(100, dtype=np.float32)[:, None], delay=0.1)
    frames = feature(np.zeros(32_000, np.int16), 10, 25)
    assert frames[:, 0] == pytest.approx(5 + 2 * np.arange(10))


def test_features_stand_side_by_side_and_are_inferred_once(monkeypatch: MonkeyPatch) -> None:
    calls = []

    def teach(pcm: np.ndarray) -> np.ndarray:
        calls.append(len(pcm))
        return np.full((51, 29), 7, np.float32)

    monkeypatch.setattr(speech_features, "open_whisper", lambda: None)
    network = DeepSpeechNetwork(NetworkSizes(hidden_size=8, num_layers=1)).eval()
    features = list_features(network, teach)
    assert list(features) == [
        "ours",
        "log-mel",
        "MFCC",
        "ours, 8 bands",
        "teacher",
        "teacher, 8 bands",
    ]
    pcm = np.random.default_rng(8).integers(-99, 99, RATE).astype(np.int16)
    shapes = {name: feature(pcm, 30, 30).shape for name, feature in features.items()}
    assert list(shapes.values()) == [(30, 29), (30, 40), (30, 13), (30, 37), (30, 29), (30, 37)]
    assert (features["teacher, 8 bands"](pcm, 30, 30)[:, :29] == 7).all()
    assert calls == [RATE]


# --- agreement with other scores ----------------------------------------------------------------


@pytest.mark.parametrize("shift", [0.0, 3.0, 0.4, -1.25])
def test_a_copy_that_comes_later_has_that_lag(shift: float) -> None:
    frames = np.arange(400.0)
    centres = np.sort(np.random.default_rng(4).uniform(20, 380, 40))

    def draw(late: float) -> np.ndarray:
        return np.exp(-0.5 * ((frames[:, None] - centres - late) / 1.5) ** 2).sum(1)[:, None]

    assert find_lag(draw(shift), draw(0.0)) == pytest.approx(shift, abs=0.05)


def test_without_a_peak_there_is_no_lag() -> None:
    rising = np.arange(60.0)[:, None] ** 2
    assert np.isnan(find_lag(rising, -rising))


def test_agreement_counts_only_frames_where_both_are_sure() -> None:
    ours, theirs = np.full((4, NUM_SYMBOLS), 0.0), np.full((4, NUM_SYMBOLS), 0.0)
    for row, (symbol, sure) in enumerate([(BLANK, 0.95), (1, 0.95), (2, 0.95), (3, 0.5)]):
        ours[row, symbol] = sure
    for row, (symbol, sure) in enumerate([(BLANK, 0.99), (1, 0.99), (5, 0.99), (4, 0.99)]):
        theirs[row, symbol] = sure
    found = measure_agreement(ours, theirs)
    assert list(found.values()) == [4, 3, pytest.approx(2 / 3), 2, 0.5]


# --- tables -------------------------------------------------------------------------------------


def make_result(person: str, error: float) -> Result:
    true = np.array([0.1, 0.2, 0.3, 0.4])
    conditions = ["clean", *((noise, level) for noise in NOISES for level in LEVELS)]
    found = {(feature, c): true + error for feature in ("ours", "log-mel") for c in conditions}
    return Result(person, person, true, found)


def test_the_probes_error_is_in_per_cent_and_drawn(tmp_path: Path) -> None:
    rows = tabulate_probe_errors([make_result("a", 0.05)])
    assert len(rows) == 2 * (1 + len(LEVELS))
    assert rows[0]["ours"] == pytest.approx(5.0)
    assert rows[0]["mean opening"] == pytest.approx(10.0)
    draw_errors(rows, tmp_path / "errors.png")
    assert (tmp_path / "errors.png").read_bytes().startswith(b"\x89PNG")


def test_two_clips_of_one_person_count_once() -> None:
    """(1 + 3) / 2 and 10 are two people's, and so are the errors of 1, 3 and 10 %."""
    assert average("aab", [1, 3, 10]) == pytest.approx(6.0)
    results = [make_result("a", 0.01), make_result("a", 0.03), make_result("b", 0.1)]
    assert tabulate_probe_errors(results)[0]["ours"] == pytest.approx(6.0)
    last = tabulate_fits(results)[-1]
    assert last["clip"] == "mean of 2 people"
    assert last["r, clean"] == pytest.approx(1.0)
    # R² of a constant error e is 1 − e² / 0.0125, the variance
    assert last["clean: R²"] == pytest.approx(1 - (0.0001 + 0.0009) / 2 / 0.025 - 0.01 / 0.025)


def test_every_table_has_its_place_on_the_page() -> None:
    page = (ROOT / "docs" / "accuracy.md").read_text("utf-8")
    tables = list_tables(Path(), Path(), Path(), Path(), 1)
    assert len(tables) == 8
    assert [name for name in tables if page.count(f"<!-- {name} -->\n") != 1] == []


def test_the_page_names_the_judge() -> None:
    page = (ROOT / "docs" / "accuracy.md").read_text("utf-8")
    assert f"{whisper.PACKAGE} {whisper.VERSION}, sha256 {(whisper.SHA256 or '')[:12]}" in page


def test_the_judges_rates_stand_beside_ours_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A judge that reads every tone as nothing is wrong in all; without one the cells are empty."""
    write_speech(tmp_path, num_train=20, num_test=2)
    monkeypatch.setattr(speech_errors, "load_network", lambda path: make_random_network())
    monkeypatch.setattr(whisper, "PACKAGE", "no-such-package")
    without = tabulate_rates(tmp_path, Path())
    assert {(row["judge CER"], row["judge WER"]) for row in without} == {("", "")}
    assert {row["part"].partition(",")[0] for row in without} == {"test", "validation"}
    silent = SimpleNamespace(transcribe=lambda pcm: "...")
    monkeypatch.setattr(speech_errors, "Whisper", lambda: silent)
    beside = tabulate_rates(tmp_path, Path())
    judged = {"judge CER": 1.0, "judge WER": 1.0}
    assert beside == [row | judged for row in without]


def test_weights_named_by_the_user_are_measured_and_missing_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTK_SPEECH_WEIGHTS", str(tmp_path / "mine.safetensors"))
    assert find_speech_weights() is None
    (tmp_path / "mine.safetensors").touch()
    assert find_speech_weights() == tmp_path / "mine.safetensors"
