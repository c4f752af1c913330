"""The measurements behind the speech tables of docs/accuracy.md, on data whose truth is known."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from tests import ROOT
from tests.accuracy import speech_errors
from tests.accuracy.ridge import cut_folds, fit_ridge, measure_fit, predict_blocks
from tests.accuracy.sound import (
    NUM_BANDS,
    WINDOW,
    compute_mel,
    make_babble,
    make_pink,
    make_windows,
    mix,
    rescale,
)
from tests.accuracy.speech import find_speech_weights, list_tables
from tests.accuracy.speech_errors import tabulate_rates
from tests.accuracy.speech_official import find_lag, measure_agreement
from tests.accuracy.speech_probe import FEATURES, LEVELS, NOISES, Result, draw_errors
from tests.accuracy.speech_probe import tabulate_errors as tabulate_probe_errors
from tests.networks import make_random_network
from tests.tones import write_speech
from toolkit.features import whisper

RATE = 16_000
NUM_SYMBOLS, BLANK = 29, 28


# --- ridge --------------------------------------------------------------------------------------


def test_no_frame_that_is_fitted_on_lies_within_the_gap_of_those_judged() -> None:
    frames = np.r_[0:70, 103:200]  # a training set with a hole, as inside an outer fold
    judged = []
    for fitted, block in cut_folds(frames, 4, gap=WINDOW):
        distance = np.abs(frames[fitted][:, None] - frames[block][None])
        assert distance.min() > WINDOW
        assert (np.diff(block) == 1).all()
        judged.append(block)
    assert np.array_equal(np.concatenate(judged), np.arange(len(frames)))


def test_a_known_linear_map_is_found() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal([3, -2, 50], [1, 4, 20], (500, 3))
    y = 7 + x @ [0.5, -0.25, 0.01]
    found = predict_blocks(x, y, {"same": x}, gap=4)["same"]
    assert measure_fit(found, y)[0] > 0.9999
    ridge = fit_ridge(x, y, np.array([1e-12]))
    assert ridge.weights[:, 0] / ridge.scale == pytest.approx([0.5, -0.25, 0.01])


def test_the_penalty_is_that_of_ridge_regression() -> None:
    """One number of variance 1: the slope shrinks to slope / (1 + penalty)."""
    x = np.array([[-1.0], [1.0], [-1.0], [1.0]])
    weights = fit_ridge(x, 3 * x[:, 0], np.array([0.5, 2.0])).weights
    assert weights[0] == pytest.approx([2.0, 1.0])


def test_neighbours_of_what_is_judged_do_not_leak_into_the_fit() -> None:
    """A target with no bearing on the windows cannot be told from blocks of time.

    It could be from frames drawn at random, whose neighbours, much alike, were fitted on.
    """
    rng = np.random.default_rng(1)
    smooth = uniform_filter1d(rng.normal(size=(500, 101)), 12, axis=0)
    x, y = smooth[:, 1:], smooth[:, 0]
    assert measure_fit(predict_blocks(x, y, {"x": x}, gap=WINDOW)["x"], y)[0] < 0.05
    order = rng.permutation(len(y))
    x, y = x[order], y[order]
    assert measure_fit(predict_blocks(x, y, {"x": x}, gap=0)["x"], y)[0] > 0.5


def test_only_the_frames_of_a_block_change_with_what_is_heard_there() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(100, 3))
    noisy = x.copy()
    noisy[:20] += 5
    found = predict_blocks(x, x.sum(1), {"clean": x, "noisy": noisy}, gap=2)
    assert np.array_equal(found["clean"][20:], found["noisy"][20:])
    assert found["noisy"][:20] - found["clean"][:20] == pytest.approx(15, rel=1e-2)


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


def test_index_8_of_a_window_is_the_frame_itself() -> None:
    windows = make_windows(np.arange(40.0).reshape(20, 2)).reshape(-1, WINDOW, 2)
    assert windows.shape == (5, 16, 2)
    assert windows[0, 8].tolist() == [16.0, 17.0]


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


def test_the_probes_error_is_in_per_cent_and_drawn(tmp_path: Path) -> None:
    true = np.array([0.1, 0.2, 0.3, 0.4])
    conditions = ["clean", *((noise, level) for noise in NOISES for level in LEVELS)]
    found = {(feature, c): true + 0.05 for feature in FEATURES for c in conditions}
    rows = tabulate_probe_errors([Result("a", true, found)])
    assert len(rows) == 2 * (1 + len(LEVELS))
    assert rows[0]["ours"] == pytest.approx(5.0)
    assert rows[0]["mean opening"] == pytest.approx(10.0)
    draw_errors(rows, tmp_path / "errors.png")
    assert (tmp_path / "errors.png").read_bytes().startswith(b"\x89PNG")


def test_every_table_has_its_place_on_the_page() -> None:
    page = (ROOT / "docs" / "accuracy.md").read_text("utf-8")
    tables = list_tables(Path(), Path(), Path(), Path(), 1)
    assert len(tables) == 5
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
