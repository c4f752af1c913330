"""Figures of motion against hand calculation, published values and other implementations."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import welch

from toolkit.errors import ToolkitError
from toolkit.facemodel.model import load_default
from toolkit.mesh import LANDMARKS68
from toolkit.schema import DEEPSPEECH_SYMBOLS
from zoo.metrics.baselines import (
    RidgeSums,
    choose_ridge,
    cut_local_windows,
    fit_components,
    fit_constant,
)
from zoo.metrics.blinks import BlinkClip, compare_blinks, measure_blinks
from zoo.metrics.confusion import Confusion, count_confusion, plot_confusion
from zoo.metrics.dynamics import PARTS, compare_spectra, measure_density, measure_spectrum
from zoo.metrics.intervals import bootstrap_interval
from zoo.metrics.mouth import (
    correlate,
    measure_mouth_error,
    measure_opening_mm,
    place_lips,
    place_mouth,
)
from zoo.models.style.model import (
    StyleClassifier,
    StyleClassifiers,
    StyleWindows,
    open_classifiers,
)
from zoo.models.style.options import PersonalizationRecipe
from zoo.models.style.recipe import PersonalizationTask
from zoo.training.distributed import Distributed
from zoo.training.loop import train

NUM_SYMBOLS = len(DEEPSPEECH_SYMBOLS)


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    """Standard normal float64."""
    return np.random.default_rng(seed).normal(size=shape)


# --- dynamics -----------------------------------------------------------------------------------


def test_the_spectrum_of_a_sine_stands_in_its_band() -> None:
    """Sine of 3 Hz and amplitude 2: its velocity's variance is (2·2π·3)²/2, in the band from 1.9.

    The difference of successive frames shortens it by sin(πf/fps)/(πf/fps).
    """
    motion = np.zeros((1280, 71))
    motion[:, 5] = 2 * np.sin(2 * np.pi * 3 * np.arange(1280) / 30)
    spectrum = measure_spectrum([motion], 30)
    variance = (2 * 2 * np.pi * 3) ** 2 / 2 * np.sinc(3 / 30) ** 2
    assert spectrum.frequencies[3] == pytest.approx(1.875)
    assert spectrum.power["expression"][3] == pytest.approx(variance, rel=0.01)
    assert spectrum.power["expression"][[0, 1, 5]].max() < 1e-3 * variance
    assert not spectrum.power["rotation"].any()


def test_the_density_is_that_of_another_implementation() -> None:
    """SciPy's periodogram of the same velocity with the same taper; Parseval's sum."""
    window = draw(128, 3).cumsum(axis=0)
    velocity = np.diff(window, axis=0) * 25
    taper = np.hanning(129)[1:-1]
    _, expected = welch(
        velocity, 25, window=taper, nperseg=127, nfft=128, detrend="constant", axis=0
    )
    found = measure_density(window, 25)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    tapered = (velocity - velocity.mean(axis=0)) * taper[:, None]
    variance = np.square(tapered).sum(axis=0) / np.square(taper).sum()
    np.testing.assert_allclose(found.sum(axis=0) * 25 / 128, variance)


def test_bands_hold_every_bin_but_the_first_once() -> None:
    """Their powers add up to the spectrum of all dimensions of the part."""
    motion = draw(128, 71)
    power = measure_spectrum([motion], 30).power
    density = measure_density(motion, 30)[1:] * 30 / 128
    assert power["rotation"].sum() == pytest.approx(density[:, 64:67].sum())
    assert power["translation"].sum() == pytest.approx(density[:, 67:70].sum())
    assert power["au45"][5] == pytest.approx(density[31:, 70].sum())


def test_twice_the_motion_is_four_times_the_power() -> None:
    """Distance log10(4) in every part; of motion to itself 0."""
    motion = draw(300, 71)
    wanted, found = measure_spectrum([motion], 30), measure_spectrum([2 * motion], 30)
    assert compare_spectra(wanted, wanted)["mean"] == 0
    distance = compare_spectra(found, wanted)
    assert set(distance) == {"expression", "rotation", "translation", "au45", "pose", "mean"}
    np.testing.assert_allclose(list(distance.values()), np.log10(4))
    assert compare_spectra(wanted, found) == pytest.approx(distance)


def test_the_overall_distance_weighs_expression_pose_and_au45_alike() -> None:
    """Only rotation is ten times as fast: 2 in rotation, 1 in pose, a third in the mean."""
    motion = draw(300, 71)
    faster = motion.copy()
    faster[:, 64:67] *= 10
    distance = compare_spectra(measure_spectrum([faster], 30), measure_spectrum([motion], 30))
    assert distance["rotation"] == pytest.approx(2)
    assert distance["pose"] == pytest.approx(1)
    assert distance["mean"] == pytest.approx(1 / 3)


def test_a_band_weighs_what_it_holds_of_the_power() -> None:
    """Powers (90, 10) and (90, 100) of two bands, worked out: one power of ten in the second.

    It holds 10 / 100 of the first spectrum and 100 / 190 of the second.
    """
    wanted = measure_spectrum([draw(300, 71)], 30)
    powers = [np.array([0.0, 90.0, 10.0, 0, 0, 0]), np.array([0.0, 90.0, 100.0, 0, 0, 0])]
    spectra = [dataclasses.replace(wanted, power=dict.fromkeys(PARTS, power)) for power in powers]
    expected = (10 / 100 + 100 / 190) / 2
    assert compare_spectra(*spectra)["mean"] == pytest.approx(expected, abs=1e-4)


def test_motion_that_collapsed_to_its_mean_is_far_away() -> None:
    """As far as the floor allows: 6 powers of ten below a flat spectrum; and always a number."""
    motion = draw(128 * 40, 71)
    still = np.tile(motion.mean(axis=0), (len(motion), 1))
    wanted, found = measure_spectrum([motion], 30), measure_spectrum([still], 30)
    assert 4 < compare_spectra(found, wanted)["mean"] < 7
    assert compare_spectra(found, found)["mean"] == 0
    assert np.isfinite(compare_spectra(wanted, found)["mean"])


def test_windows_with_invalid_frames_do_not_count() -> None:
    """Frame 200 spoils the windows from 128 and 192, not those from 0 and 64."""
    motion = draw(320, 71)
    spoiled = motion.copy()
    spoiled[200] = 1e6
    valid = np.arange(320) != 200
    found = measure_spectrum([spoiled], 30, [valid])
    assert found.num_windows == 2
    expected = measure_spectrum([motion[:192]], 30)
    np.testing.assert_allclose(found.power["expression"], expected.power["expression"])


def test_frames_that_are_not_valid_here_and_there_leave_the_windows_of_a_clip() -> None:
    """Every twentieth: no window is wholly valid, and all count; of every ninth, none does."""
    motion = draw(320, 71)
    some = np.arange(320) % 20 != 0
    found = measure_spectrum([motion], 30, [some])
    assert found.num_windows == measure_spectrum([motion], 30).num_windows == 4
    with pytest.raises(ValueError, match="nine in ten"):
        measure_spectrum([motion], 30, [np.arange(320) % 9 != 0])


@pytest.mark.parametrize(
    ("motion", "complaint"),
    [(np.zeros((15, 71)), "128 valid"), (np.zeros((200, 70)), r"\(200, 70\)")],
)
def test_no_window_and_another_width_are_mistakes(motion: np.ndarray, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        measure_spectrum([motion], 30)


def test_spectra_of_two_frame_rates_are_not_compared() -> None:
    motion = draw(200, 71)
    with pytest.raises(ValueError, match="25 and 30"):
        compare_spectra(measure_spectrum([motion], 25), measure_spectrum([motion], 30))


# --- blinks -------------------------------------------------------------------------------------


def blink_at(num_frames: int, frames: tuple[int, ...], length: int) -> np.ndarray:
    """AU45 of blinks that are down (4) for so many frames from each of these."""
    au45 = np.zeros(num_frames)
    for frame in frames:
        au45[frame : frame + length] = 4
    return au45


def test_blinks_are_pooled_over_an_identitys_clips() -> None:
    """3 blinks in 20 s of 6 frames each, and 2 in 5 s of 3 frames."""
    clips = [
        BlinkClip("b", blink_at(150, (30, 90), 3)),
        BlinkClip("a", blink_at(300, (50, 200), 6)),
        BlinkClip("a", blink_at(300, (100,), 6)),
    ]
    found = measure_blinks(clips, 30)
    assert list(found) == ["a", "b"]
    assert found["a"].num_blinks == 3
    assert found["a"].rate == pytest.approx(3 / 20)
    assert found["a"].duration == pytest.approx(6 / 30)
    assert found["a"].interval == pytest.approx(150 / 30)
    assert found["b"].rate == pytest.approx(2 / 5)
    assert found["b"].duration == pytest.approx(0.1)


def test_seconds_that_were_not_measured_hold_no_blinks_and_do_not_count() -> None:
    """One of two blinks, and half of the time."""
    valid = np.arange(300) < 150
    found = measure_blinks([BlinkClip("a", blink_at(300, (50, 200), 6), valid)], 30)["a"]
    assert (found.num_blinks, found.valid_seconds) == (1, 5)


def test_errors_of_rate_and_duration_are_relative() -> None:
    """Half the rate, 1.5 times the duration; no ratio where there are no blinks."""
    wanted = measure_blinks(
        [BlinkClip("a", blink_at(300, (50, 200), 4)), BlinkClip("b", np.zeros(300))], 30
    )
    found = measure_blinks(
        [BlinkClip("a", blink_at(300, (50,), 6)), BlinkClip("b", np.zeros(300))], 30
    )
    errors = compare_blinks(found, wanted)
    assert errors["a"].rate == pytest.approx(-0.5)
    assert errors["a"].duration == pytest.approx(0.5)
    assert errors["b"].rate is None
    assert errors["b"].duration is None
    with pytest.raises(ValueError, match="no predicted motion of a"):
        compare_blinks({"b": found["b"]}, wanted)


# --- mouth --------------------------------------------------------------------------------------


def test_lips_are_those_of_the_whole_face() -> None:
    """The full model's vertices at the 68-point view's lips."""
    model = load_default()
    expression = draw(4, 64)
    whole = model.shape(expression=expression)[:, model.keypoints[48:68]]
    np.testing.assert_allclose(place_lips(expression), whole, atol=1e-4)


def test_the_mouth_error_is_the_mean_distance_of_its_vertices() -> None:
    """Between two whole faces, vertex by vertex."""
    model = load_default()
    a, b = draw(5, 64, seed=1), draw(5, 64, seed=2)
    lips = model.keypoints[48:68]
    moved = (model.shape(expression=a) - model.shape(expression=b))[:, lips]
    expected = np.sqrt(np.square(moved).sum(axis=-1)).mean(axis=-1)
    np.testing.assert_allclose(measure_mouth_error(a, b), expected, rtol=1e-4)
    assert not measure_mouth_error(a, a).any()


def test_a_mouth_seen_by_the_eyes_knows_no_place_size_or_roll() -> None:
    """Eyes' centres 10 px apart, a lip corner 3 px right of and 4 px under the lips' centroid."""
    face = np.zeros((1, 478, 3))
    face[0, [33, 133], 0], face[0, [263, 362], 0] = 20, 30
    face[0, list(LANDMARKS68[48:68]), :2] = 25, 40
    face[0, 61, :2], face[0, 291, :2] = (28, 44), (22, 36)
    mouth = place_mouth(face)
    assert mouth.shape == (1, 20, 2)
    np.testing.assert_allclose(mouth[0, [0, 6]], [(0.3, 0.4), (-0.3, -0.4)], atol=1e-12)
    assert not mouth[0, 1:6].any()
    turn = 3 * np.array([[0.8, 0.6, 0], [-0.6, 0.8, 0], [0, 0, 1]])
    np.testing.assert_allclose(place_mouth(face @ turn + [5, 7, 0]), mouth, atol=1e-12)


def test_the_opening_is_the_gap_between_the_inner_lips() -> None:
    """Vertices 82, 13, 312 over 87, 14, 317 of the mesh; wider where the first shapes open it."""
    model = load_default()
    pairs = [(82, 87), (13, 14), (312, 317)]
    mean = np.mean([np.linalg.norm(np.subtract(*model.mean_shape[[a, b]])) for a, b in pairs])
    assert measure_opening_mm(np.zeros((1, 64)))[0] == pytest.approx(mean)
    gap = model.expression[14, 1] - model.expression[13, 1]  # y down: how it changes, (64,)
    assert measure_opening_mm(gap[None] / np.linalg.norm(gap))[0] > mean + 1


def test_correlation_is_pearsons() -> None:
    """NumPy's; 0 where one does not change, however its mean is rounded."""
    a, b = draw(50, seed=3), draw(50, seed=4)
    assert correlate(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert correlate(a, 3 - 2 * a) == pytest.approx(-1)
    assert correlate(np.full(50, 0.1), b) == 0


# --- baselines ----------------------------------------------------------------------------------


def test_the_best_constant_beats_every_other_constant() -> None:
    """It is the mean over frames, not over clips."""
    short, long = np.full((1, 71), 3.0), np.full((5, 71), 9.0)
    np.testing.assert_allclose(fit_constant([short, long]), 8)
    with pytest.raises(ValueError, match="no frames"):
        fit_constant([np.zeros((0, 71))])


def test_index_8_of_a_local_window_is_its_frame() -> None:
    """Frames t − 8 to t + 7, zeros beyond the ends."""
    audio = np.arange(1, 21)[:, None] * np.ones(NUM_SYMBOLS)
    windows = cut_local_windows(audio).reshape(20, 16, NUM_SYMBOLS)
    assert windows[0, :, 0].tolist() == [0] * 8 + [1, 2, 3, 4, 5, 6, 7, 8]
    assert windows[10, :, 28].tolist() == list(range(3, 19))
    assert windows[19, :, 0].tolist() == [*range(12, 21), 0, 0, 0, 0, 0, 0, 0]


def test_ridge_is_least_squares_with_rows_added_for_the_penalty() -> None:
    """NumPy's lstsq on the augmented system, the intercept's column without a penalty."""
    audio = [draw(300, NUM_SYMBOLS, seed=1), draw(400, NUM_SYMBOLS, seed=2) + 5]
    motion = [draw(300, 71, seed=3) + 2, draw(400, 71, seed=4)]
    sums = RidgeSums()
    for pair in zip(audio, motion, strict=True):
        sums.add(*pair)
    ridge = sums.solve(7.0)
    x = np.concatenate([cut_local_windows(a) for a in audio])
    x = np.hstack([x, np.ones((len(x), 1))])
    rows = np.hstack([np.sqrt(7.0) * np.eye(464), np.zeros((464, 1))])
    y = np.concatenate([*motion, np.zeros((464, 71))])
    expected, *_ = np.linalg.lstsq(np.vstack([x, rows]), y, rcond=None)
    np.testing.assert_allclose(ridge.weight, expected[:-1], atol=1e-8)
    np.testing.assert_allclose(ridge.bias, expected[-1], atol=1e-8)
    np.testing.assert_allclose(ridge.predict(audio[1]), x[300:] @ expected, atol=1e-7)


def test_wide_features_keep_the_components_that_vary_most() -> None:
    """Of 100 numbers made of 5 all is kept in 64; 29 scores are left as they are."""
    audio = draw(300, 5) @ draw(5, 100, seed=1)
    components = fit_components([audio[:100], audio[100:]])
    assert components is not None
    assert components.shape == (100, 64)
    np.testing.assert_allclose(audio @ components @ components.T, audio, atol=1e-3)
    assert fit_components([draw(300, NUM_SYMBOLS)]) is None


def test_ridge_finds_a_linear_map() -> None:
    """And leaves out frames that are not known."""
    audio, weight = draw(3000, NUM_SYMBOLS), draw(464, 2, seed=1)
    motion = cut_local_windows(audio) @ weight + [3, -4]
    spoiled = motion.copy()
    spoiled[::7, 0] = np.nan
    sums = RidgeSums()
    sums.add(audio, spoiled)
    assert sums.num_frames == 3000 - len(range(0, 3000, 7))
    ridge = sums.solve(1e-6)
    np.testing.assert_allclose(ridge.predict(audio), motion, atol=1e-4)
    rows = cut_local_windows(audio)
    assert ridge.predict_rows(rows).tolist() == ridge.predict(audio).tolist()


def test_ridge_of_rows_is_that_of_the_windows_they_are() -> None:
    audio, motion = draw(500, NUM_SYMBOLS), draw(500, 3, seed=1)
    windows, rows = RidgeSums(), RidgeSums()
    windows.add(audio, motion)
    rows.add_rows(cut_local_windows(audio), motion)
    np.testing.assert_array_equal(windows.solve(10).weight, rows.solve(10).weight)


def test_the_penalty_is_chosen_on_other_clips() -> None:
    """Noise alone wants the largest, a noiseless map the smallest."""
    train_audio, other_audio = draw(800, NUM_SYMBOLS, seed=1), draw(300, NUM_SYMBOLS, seed=2)
    noise = choose_ridge(
        [(train_audio, draw(800, 3, seed=3))], [(other_audio, draw(300, 3, seed=4))]
    )
    assert noise.penalty == 1e5
    weight = draw(464, 3, seed=5)
    pairs = [(a, cut_local_windows(a) @ weight) for a in (train_audio, other_audio)]
    assert choose_ridge(pairs[:1], pairs[1:]).penalty == 1


def test_ridge_refuses_what_cannot_be_solved() -> None:
    sums = RidgeSums()
    with pytest.raises(ValueError, match="0 frames"):
        sums.solve(1.0)
    with pytest.raises(ValueError, match="5 frames of audio, 4 of motion"):
        sums.add(np.zeros((5, 29)), np.zeros((4, 71)))


# --- intervals ----------------------------------------------------------------------------------


def test_the_interval_of_independent_values_is_the_textbooks() -> None:
    """Mean ± 1.96·s/√n."""
    values = draw(2000)
    found = bootstrap_interval(lambda at: values[at].mean(), [2000], block=1)
    half = 1.96 * values.std() / np.sqrt(2000)
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)
    assert (found.high + found.low) / 2 == pytest.approx(values.mean(), abs=half / 5)


def test_blocks_see_that_neighbours_are_alike() -> None:
    """AR(1) with ρ = 0.9: the mean's variance is (1 + ρ)/(1 − ρ) = 19 times that of independence.

    Blocks of 200 find at least 0.7 of the true width; single frames find a quarter of it.
    """
    rng, values = np.random.default_rng(0), np.zeros(20_000)
    for t in range(1, len(values)):
        values[t] = 0.9 * values[t - 1] + rng.normal()
    true = 2 * 1.96 * values.std() * np.sqrt(19 / len(values))
    widths = [
        found.high - found.low
        for block in (200, 1)
        for found in [bootstrap_interval(lambda at: values[at].mean(), [20_000], block=block)]
    ]
    assert 0.7 * true < widths[0] < 1.3 * true
    assert widths[1] < 0.3 * true


def draw_frames(lengths: list[int], block: int, times: int) -> list[np.ndarray]:
    """The frames of each resample, the frames as they are last."""
    seen = list[np.ndarray]()

    def keep(at: np.ndarray) -> float:
        seen.append(at)
        return 0.0

    bootstrap_interval(keep, lengths, block=block, num_resamples=times)
    return [*seen[1:], seen[0]]


def test_a_block_never_crosses_from_clip_to_clip() -> None:
    """Successive frame numbers, a clip's first after its last; shorter clips come whole."""
    lengths = [10, 3, 0, 12]
    clip, first_of = np.repeat([0, 1, 3], [10, 3, 12]), np.repeat([0, 10, 13], [10, 3, 12])
    seen = draw_frames(lengths, 5, 200)
    assert all(len(at) == 25 for at in seen)
    np.testing.assert_array_equal(seen[-1], np.arange(25))  # the figure itself: every frame once
    for at in seen[:-1]:
        first = 0
        while first < 25:
            size = min(3 if clip[at[first]] == 1 else 5, 25 - first)
            block = at[first : first + size]
            assert len(set(clip[block])) == 1
            length = lengths[clip[at[first]]]
            inside = block - first_of[block]
            assert ((np.diff(inside) - 1) % length == 0).all()
            first += size


def test_every_frame_of_every_clip_is_as_likely() -> None:
    """Ends of clips as their middles, clips shorter than a block as longer ones."""
    lengths = [40, 3, 8, 60]
    seen = np.bincount(np.concatenate(draw_frames(lengths, 8, 20_000)[:-1]), minlength=111)
    share = seen / seen.mean()
    for first, length in ((0, 40), (40, 3), (43, 8), (51, 60)):
        assert share[first : first + length].mean() == pytest.approx(1, abs=0.03)
    assert share.min() > 0.9
    assert share.max() < 1.1


def test_the_interval_holds_the_mean_of_clips_that_differ_in_length() -> None:
    """One long clip of zeros and twenty short ones of ones: the mean is 0.5, and in the middle."""
    values = np.repeat([0.0, 1.0], 400)
    found = bootstrap_interval(lambda at: values[at].mean(), [400, *[20] * 20], block=20)
    assert found.value == 0.5
    assert (found.low + found.high) / 2 == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("lengths", "known"), [([5], False), ([9], False), ([10], True)])
def test_of_fewer_than_two_blocks_there_is_no_interval(lengths: list[int], known: bool) -> None:
    found = bootstrap_interval(lambda at: at.mean(), lengths, block=5)
    assert found.value == (lengths[0] - 1) / 2
    assert [x is not None for x in (found.low, found.high)] == [known, known]
    one = bootstrap_interval(lambda at: at.mean(), [3], block=5)
    assert one.low is None


def test_the_same_seed_gives_the_same_interval() -> None:
    values = draw(100)

    def measure(seed: int) -> object:
        return bootstrap_interval(lambda at: values[at].mean(), [100], block=10, seed=seed)

    assert measure(1) == measure(1)
    assert measure(1) != measure(2)


@pytest.mark.parametrize(("lengths", "block", "level"), [([], 1, 0.9), ([5], 0, 0.9), ([5], 1, 1)])
def test_an_interval_needs_frames_a_block_and_a_level(
    lengths: list[int], block: int, level: float
) -> None:
    with pytest.raises(ValueError, match="blocks of"):
        bootstrap_interval(lambda at: 0.0, lengths, block=block, level=level)


# --- personalisation ----------------------------------------------------------------------------


def make_clip(identity: str, seed: int, num_frames: int = 400) -> tuple[str, np.ndarray]:
    """Ann nods slowly and blinks often, Bob fast and seldom; where the camera stood is random."""
    rng = np.random.default_rng(seed)
    motion = np.zeros((num_frames, 71), np.float32)
    frames = np.arange(num_frames)
    rate, every = {"Ann": (0.5, 30), "Bob": (2.0, 100)}[identity]
    phase, start = rng.uniform(0, 2 * np.pi), int(rng.integers(0, every))
    motion[:, 64] = 0.1 * np.sin(2 * np.pi * rate * frames / 30 + phase)
    motion[:, 64:70] += rng.normal(0, 0.01, (num_frames, 6)) + rng.normal(0, 5, 6)
    motion[(frames - start) % every < 5, 70] = 4
    return identity, motion


CLIPS = [make_clip(name, seed) for seed in range(6) for name in ("Bob", "Ann")]
HELD_OUT = [make_clip(name, seed) for seed in (100, 101) for name in ("Bob", "Ann")]


def make_task(**changes: object) -> PersonalizationTask:
    """Two identities, six clips each; steps enough for the norms' running statistics."""
    few = {"epochs": 3, "learning_rate": 1e-3, "batch_size": 16, "stride": 10}
    settings = {"shards": Path("shards")} | few | changes
    recipe = PersonalizationRecipe(**settings)  # type: ignore[arg-type]
    return PersonalizationTask(recipe, CLIPS, HELD_OUT, fps=30, distributed=Distributed())


def test_the_classifier_takes_128_frames_to_one_score_for_each_identity() -> None:
    """Supplement, section 3: 128×6 or 128×1 in, N out; by hand, parameters with batch norm.

    Convolutions of 5 taps, 6 → 32 → 64 → 128 → 128, two norms' numbers each, dense 128 → 5.
    """
    network = StyleClassifier(6, 5)
    assert network(torch.zeros(3, 128, 6)).shape == (3, 5)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == 5 * (6 * 32 + 32 * 64 + 64 * 128 + 128 * 128) + 2 * 352 + 128 * 5 + 5
    assert StyleClassifier(1, 5)(torch.zeros(3, 128, 1)).shape == (3, 5)


def test_where_a_head_is_tells_nothing_of_its_style() -> None:
    """Each clip's mean pose is taken out; AU45 and the rest stay as they are."""
    identity, motion = make_clip("Ann", 0)
    moved = motion.copy()
    moved[:, 64:70] += 1000
    still, other = (StyleWindows([(identity, m)], ["Ann"], 5) for m in (motion, moved))
    np.testing.assert_allclose(still.motion, other.motion, atol=1e-3)
    np.testing.assert_allclose(still.motion[:, 64:70].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_array_equal(still.motion[:, 70], motion[:, 70])
    assert motion[:, 64:70].mean() != 0  # the caller's array is left alone


def test_style_windows_stay_within_clips_and_take_in_each_ones_last() -> None:
    """Clips of 130 and 140 frames: starts 0, 2; then, after 130, 0, 5, 10, 12. 15 is too short."""
    clips = [(n, np.full((m, 71), k, np.float32)) for k, (n, m) in enumerate(
        [("a", 130), ("c", 500), ("b", 140), ("b", 15)]
    )]  # fmt: skip
    windows = StyleWindows(clips, ["a", "b"], 5)
    assert windows._windows.locate(np.arange(len(windows)))[1].tolist() == [
        0,
        2,
        130,
        135,
        140,
        142,
    ]
    assert windows.labels.tolist() == [0, 0, 1, 1, 1, 1]
    gathered = windows.gather(np.array([1, 5]))
    assert gathered.shape == (2, 128, 71)
    assert gathered[..., 70].unique(dim=1).flatten().tolist() == [0, 2]


def test_styles_that_differ_are_told_apart_on_clips_not_seen(tmp_path: Path) -> None:
    """Trained, written, read again: held-out clips are known, and swapped names are not."""
    best = train(make_task(), tmp_path, epochs=3)
    assert best["score"] < 0.1
    classifiers = open_classifiers(tmp_path / "best.pt")
    assert classifiers.identities == ("Ann", "Bob")
    found = classifiers.measure(HELD_OUT)
    assert {name: confusion.accuracy > 0.9 for name, confusion in found.items()} == {
        "pose": True,
        "blink": True,
    }
    swapped = [({"Ann": "Bob", "Bob": "Ann"}[name], motion) for name, motion in HELD_OUT]
    assert classifiers.measure(swapped)["pose"].accuracy < 0.1


def test_a_run_of_classifiers_that_was_stopped_goes_on_as_if_it_had_not_been(
    tmp_path: Path,
) -> None:
    """Bit for bit, the best epochs included."""
    train(make_task(), tmp_path / "whole", epochs=3)
    train(make_task(), tmp_path / "parts", epochs=1)
    train(make_task(), tmp_path / "parts", epochs=3, resume=True)
    whole, parts = (
        torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "parts")
    )
    for network in ("pose", "blink"):
        for key, tensor in whole["model"][network].items():
            assert torch.equal(tensor, parts["model"][network][key])
    for key, tensor in whole["state"]["networks"].items():
        assert torch.equal(tensor, parts["state"]["networks"][key])


def test_each_classifier_keeps_the_weights_of_its_own_best_epoch() -> None:
    """Where validation got worse since, the export is still that of the better epoch."""
    task = make_task()
    before = task.validate()
    kept = task.export()["pose"]["dense.weight"].clone()
    network = task._model.networks["pose"]
    wanted = before["accuracy pose"]
    with torch.no_grad():  # everyone is Ann now: half of the windows, then less than half
        network.dense.weight.neg_()
        network.dense.bias.neg_()
    after = task.validate()["accuracy pose"]
    now = task.export()["pose"]["dense.weight"]
    assert after == pytest.approx(1 - wanted)
    assert torch.equal(now, kept if after <= wanted else -kept)


def test_every_window_is_learned_from_once_an_epoch() -> None:
    """In another order each epoch; the same again where a run goes on."""
    task = make_task(stride=5)
    batches = list(task.draw_batches(0, 0))
    assert len(batches) == task.count_steps(0)
    total = sum(len(batch.labels) for batch in batches)
    assert total == 12 * len(range(0, 272, 5)) + 12  # starts 0, 5 … 270 and 272
    again = list(task.draw_batches(0, 3))
    assert torch.equal(again[0].motion, batches[3].motion)
    assert not torch.equal(next(task.draw_batches(1, 0)).motion, batches[0].motion)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"stride": 0}, {"batch_size": -1}, {"seed": -1}])
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)).replace("_", "-")):
        PersonalizationRecipe(shards=Path("shards"), **wrong)  # type: ignore[arg-type]


def test_validation_without_anyone_known_says_what_to_do() -> None:
    recipe = PersonalizationRecipe(shards=Path("shards"))
    with pytest.raises(ToolkitError, match="--by clip"):
        PersonalizationTask(recipe, CLIPS[::2], HELD_OUT[1::2], fps=30, distributed=Distributed())


def test_a_checkpoint_of_another_layout_is_refused(tmp_path: Path) -> None:
    content = StyleClassifiers(("a",), 30).export() | {"layout": "other/v2"}
    torch.save({"kind": "personalization", "model": content}, tmp_path / "best.pt")
    with pytest.raises(ToolkitError, match="other/v2"):
        open_classifiers(tmp_path / "best.pt")


def test_confusion_counts_rows_of_truth_and_columns_of_guesses() -> None:
    """Of a, b, c: two right of four."""
    wanted, found = np.array([0, 0, 1, 2]), np.array([0, 2, 1, 0])
    confusion = count_confusion(("a", "b", "c"), wanted, found)
    assert confusion.counts.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert confusion.accuracy == 0.5
    with pytest.raises(ValueError, match="nothing"):
        count_confusion(("a",), wanted[:0], found[:0])


def test_the_confusion_figure_says_shares_and_names(tmp_path: Path) -> None:
    """As text of an SVG: per cent of each row, 0 for someone never seen."""
    confusion = Confusion(("Ann", "Bob"), np.array([[1, 3], [0, 0]]))
    plot_confusion({"head pose": confusion, "blinks": confusion}, tmp_path / "confusion.svg")
    text = (tmp_path / "confusion.svg").read_text()
    for word in ("head pose: 0.25", "blinks: 0.25", "Ann", "taken for", "25", "75"):
        assert f"<!-- {word} -->" in text
    with pytest.raises(ValueError, match="no confusion"):
        plot_confusion({}, tmp_path / "none.svg")
