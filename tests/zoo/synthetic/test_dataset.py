"""The synthetic dataset: its truth is as said, and as hard as said."""

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from toolkit.clock import SAMPLE_RATE
from toolkit.dataset.manifest import read_table
from toolkit.dataset.split import split_dataset
from toolkit.dataset.stats import compute_stats
from toolkit.dataset.validate import validate_dataset
from toolkit.errors import ToolkitError
from toolkit.features.blink import find_blinks
from zoo.data import (
    AU45,
    EXPRESSION,
    POSE,
    ClipSet,
    Normalisation,
    load_clips,
    pad_audio,
)
from zoo.synthetic.dataset import make_dataset
from zoo.synthetic.options import SyntheticOptions
from zoo.synthetic.oracle import load_truth, measure_oracle
from zoo.synthetic.people import close_lids, draw_people, find_syllables, place_blinks
from zoo.synthetic.speech import GeneratedSpeech, draw_pauses, is_heard, shorten_silences

CLIPS, SECONDS = 20, 39.7

Floats = npt.NDArray[np.float64]


def make(folder: Path, **options: object) -> Path:
    """A dataset with its split."""
    fields: dict[str, object] = {"clips": CLIPS, "seconds": SECONDS, **options}
    make_dataset(folder, SyntheticOptions(**fields))  # type: ignore[arg-type]
    split_dataset(folder)
    return folder


@pytest.fixture(scope="module")
def dataset_a(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Variant A: 20 clips of 39.7 s."""
    return make(tmp_path_factory.mktemp("a"))


@pytest.fixture(scope="module")
def dataset_b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Variant B of the same size."""
    return make(tmp_path_factory.mktemp("b"), variant="B")


def score_ridge(train: ClipSet, test: ClipSet, columns: slice) -> float:
    """R² on `test` of ridge regression of motion on local windows, its penalty the best of five."""
    normalisation = Normalisation.fit(train)

    def stack(clips: ClipSet) -> tuple[Floats, Floats]:
        rows = []
        for clip in clips:
            audio = pad_audio(normalisation.normalise_audio(clip.audio))
            windows = np.lib.stride_tricks.sliding_window_view(audio, 16, axis=0)
            rows.append(windows.reshape(clip.num_frames, -1).astype(np.float64))
        x = np.concatenate(rows)
        y = np.concatenate([clip.motion[:, columns] for clip in clips]).astype(np.float64)
        return np.column_stack([x, np.ones(len(x))]), y

    (x, y), (x_test, y_test) = stack(train), stack(test)
    square, product = x.T @ x, x.T @ y
    spread = np.square(y_test - y_test.mean(axis=0)).sum()
    scores = []
    for penalty in (0.1, 1, 10, 100, 1000):
        weights = np.linalg.solve(square + penalty * np.eye(len(square)), product)
        scores.append(1 - np.square(y_test - x_test @ weights).sum() / spread)
    return float(max(scores))


# --- the dataset as such ------------------------------------------------------------------------


def test_it_is_a_dataset_like_any_other(dataset_a: Path) -> None:
    """`ttk validate` and `ttk stats` have nothing to say against it; every part has clips."""
    assert validate_dataset(dataset_a) == []
    (stats,) = compute_stats(dataset_a)
    assert (stats.num_clips, stats.num_identities) == (CLIPS, 5)
    assert stats.num_frames == CLIPS * 1191
    assert stats.face_size is None
    assert stats.speech_share is not None
    assert {len(load_clips(dataset_a, split=part)) > 0 for part in ("train", "val", "test")} == {
        True
    }


def test_its_blinks_are_in_the_manifest(dataset_a: Path) -> None:
    """As many as are found in what the shard holds."""
    rows = read_table(dataset_a, "clips").set_index("clip_id")["num_blinks"]
    for clip in load_clips(dataset_a, split=None):
        assert rows[clip.id] == len(find_blinks(clip.motion[:, AU45.start], clip.fps)) > 0


def test_the_same_options_give_the_same_arrays_and_other_seeds_others(tmp_path: Path) -> None:
    """Clip by clip; ids differ as well, so that two datasets cannot be taken for one."""
    options = {"clips": 4, "seconds": 5.0, "identities": 2}
    once, again, other = (
        load_clips(make(tmp_path / name, seed=seed, **options), split=None)
        for name, seed in (("once", 0), ("again", 0), ("other", 1))
    )
    for ours, same in zip(once, again, strict=True):
        assert ours.id == same.id
        assert np.array_equal(ours.motion, same.motion) and np.array_equal(ours.audio, same.audio)
    assert not {clip.id for clip in once} & {clip.id for clip in other}


def test_a_folder_that_holds_a_dataset_is_left_alone(dataset_a: Path) -> None:
    """Nor are datasets made that cannot be trained on."""
    with pytest.raises(ToolkitError, match="holds a dataset: choose another folder"):
        make_dataset(dataset_a, SyntheticOptions())
    for wrong in ({"clips": 3}, {"seconds": 4.0}, {"identities": 1}):
        with pytest.raises(ValueError, match="needs two identities"):
            make_dataset(dataset_a / "new", SyntheticOptions(**wrong))  # type: ignore[arg-type]


def test_the_truth_of_another_dataset_is_an_error(dataset_a: Path, tmp_path: Path) -> None:
    """Only what was made here has one."""
    shutil.copytree(dataset_a / "manifests", tmp_path / "manifests")
    with pytest.raises(ToolkitError, match="only what zoo sample facial makes has a known truth"):
        load_truth(tmp_path)


# --- expression ---------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["a", "b"])
def test_ridge_regression_does_not_solve_the_expression(
    variant: str, request: pytest.FixtureRequest
) -> None:
    """R² of at most 0.7 on other clips; it does find something, so the map is no noise."""
    dataset = request.getfixturevalue(f"dataset_{variant}")
    train, test = (load_clips(dataset, split=part) for part in ("train", "test"))
    score = score_ridge(train, test, EXPRESSION)
    print(f"ridge regression on variant {variant}: R² {score:.3f}")
    assert 0.3 < score <= 0.7


def test_expression_is_a_function_of_what_is_heard_nearby(dataset_a: Path) -> None:
    """A change at one frame reaches a second to either side, and most within the window of 16."""
    from zoo.synthetic.mouth import MouthMap

    clips = list(load_clips(dataset_a, split=None))
    mouth = MouthMap([clip.audio for clip in clips], seed=0)
    audio = np.array(clips[0].audio)
    changed = audio.copy()
    changed[300] += 1
    moved = np.flatnonzero((mouth(audio) != mouth(changed)).any(axis=1))
    assert (moved.min(), moved.max()) == (270, 330)  # two seconds in all
    away = np.abs(mouth(audio) - mouth(changed)).mean(axis=1)
    near, far = np.arange(293, 309), np.r_[270:293, 309:331]  # a[t − 8 : t + 8] holds the change
    assert away[near].mean() > 3 * away[far].mean()


def test_the_first_components_move_most(dataset_a: Path) -> None:
    """So that the mouth is seen to move: about one standard deviation, falling off."""
    motion = np.concatenate([clip.motion for clip in load_clips(dataset_a, split=None)])
    spread = motion[:, EXPRESSION].std(axis=0)
    assert 0.5 < spread[0] < 1.5
    assert spread[:8].min() > 2 * spread[16:].max()


# --- blinks and head ----------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["a", "b"])
def test_blinks_have_each_identitys_rate_and_duration(
    variant: str, request: pytest.FixtureRequest
) -> None:
    """In what is stored, noise included, by the toolkit's own measure: rates within 20 %."""
    dataset = request.getfixturevalue(f"dataset_{variant}")
    clips = load_clips(dataset, split=None)
    for person in draw_people(5, seed=0):
        of_one = [clip for clip in clips if clip.identity == person.name]
        blinks = [b for c in of_one for b in find_blinks(c.motion[:, AU45.start], c.fps)]
        seconds = sum(clip.num_frames for clip in of_one) / 30
        assert len(blinks) / seconds == pytest.approx(person.blink_rate, rel=0.2)
        lengths = [blink.offset - blink.onset + 1 for blink in blinks]
        assert np.mean(lengths) == pytest.approx(person.blink_frames, abs=0.5)


def test_identities_differ_in_rate_duration_amplitude_and_rhythm() -> None:
    """From 0.1 to 0.6 blinks a second, each its own of everything."""
    people = draw_people(5, seed=3)
    assert [person.blink_rate for person in people] == pytest.approx([0.1, 0.225, 0.35, 0.475, 0.6])
    assert {person.blink_frames for person in people} == {4, 5, 7, 10, 13}
    for values in (
        [person.blink_frames for person in people],
        [person.nod_spacing for person in people],
        [round(float(person.turn[0]), 6) for person in people],
    ):
        assert len(set(values)) == 5


def count_near(clips: ClipSet, frames: int) -> tuple[int, int]:
    """Blinks that have a long pause begin within so many frames before their middle; all blinks.

    A pause: 10 frames and more in which the blank symbol is the likeliest, by the audio alone.
    """
    near = total = 0
    for clip in clips:
        silent = clip.audio.argmax(axis=1) == 28
        begins = [t for t in range(1, clip.num_frames - 10)
                  if silent[t : t + 10].all() and not silent[t - 1]]  # fmt: skip
        for blink in find_blinks(clip.motion[:, AU45.start], clip.fps):
            middle = (blink.onset + blink.offset) / 2
            near += any(0 <= middle - begin <= frames for begin in begins)
            total += 1
    return near, total


def test_blinks_come_at_pauses_in_a_and_anywhere_in_b(dataset_a: Path, dataset_b: Path) -> None:
    """By pauses found in the audio."""
    near, total = count_near(load_clips(dataset_a, split=None), 10)
    assert total > 200 and near / total > 0.95
    near, total = count_near(load_clips(dataset_b, split=None), 10)
    assert total > 200 and near / total < 0.3


def find_response(clips: ClipSet, name: str, spacing: int) -> Floats:
    """(n,) pitch of an identity less its mean, averaged about the syllables it hears."""
    parts = []
    for clip in clips:
        if clip.identity == name:
            pitch = clip.motion[:, POSE.start] - clip.motion[:, POSE.start].mean()
            frames, _ = find_syllables(clip.audio, spacing)
            parts += [pitch[t - 20 : t + 21] for t in frames if 20 <= t < clip.num_frames - 20]
    return np.mean(parts, axis=0)


def test_heads_nod_on_loud_syllables_in_a_and_at_any_time_in_b(
    dataset_a: Path, dataset_b: Path
) -> None:
    """Pitch (positive: down) peaks at the syllable, by as much as the identity nods."""
    heard, random = load_clips(dataset_a, split=None), load_clips(dataset_b, split=None)
    for person in draw_people(5, seed=0):
        response = find_response(heard, person.name, person.nod_spacing)
        assert abs(int(response.argmax()) - 20) <= 1
        assert response.max() > 0.5 * person.turn[0]
        nothing = find_response(random, person.name, person.nod_spacing)
        assert np.abs(nothing).max() < 0.3 * person.turn[0]


def test_no_linear_map_places_the_blinks_of_b(dataset_b: Path, dataset_a: Path) -> None:
    """On other clips; of A it finds a good part."""
    scores = [
        score_ridge(*(load_clips(d, split=part) for part in ("train", "test")), AU45)
        for d in (dataset_a, dataset_b)
    ]
    assert scores[0] > 0.3 and scores[1] < 0.02


# --- oracle -------------------------------------------------------------------------------------


def test_the_oracle_is_what_cannot_be_heard(dataset_a: Path) -> None:
    """Of the expression noise of 5 % of each component's scale; nods that differ by a quarter."""
    oracle = measure_oracle(dataset_a, "test")
    clips = list(load_clips(dataset_a, split="test"))
    turns = np.concatenate(
        [c.motion[:, POSE][:, :3] - c.motion[:, POSE][:, :3].mean(0) for c in clips]
    )
    size = np.rad2deg(np.sqrt((turns**2).mean()))
    assert np.rad2deg(0.0015) < oracle.turn_error == pytest.approx(0.25 * size, rel=0.3)
    assert oracle.shift_error > 0.4
    scales = 1.2 * np.maximum(np.exp(-np.arange(64) / 10), 0.05)
    wanted = 0.05 * np.sqrt(np.mean(scales**2))
    assert oracle.expression_error == pytest.approx(wanted, rel=0.02)
    assert 0.07 < oracle.au45_error < 0.4  # 0.15, but clipped at 0 half of the time
    people = {person.name: person for person in draw_people(5, seed=0)}
    assert oracle.blink_rates.keys() == oracle.blink_seconds.keys() <= people.keys()
    for name, seconds in oracle.blink_seconds.items():
        assert seconds == pytest.approx(people[name].blink_frames / 30)


def test_the_truth_is_the_motion_without_noise(dataset_a: Path) -> None:
    """Of the same clips and shapes, and smooth where the stored motion is not."""
    truth = load_truth(dataset_a)
    for clip in load_clips(dataset_a, split=None):
        assert truth[clip.id].shape == clip.motion.shape
        assert _roughness(truth[clip.id]) < 0.5 * _roughness(clip.motion)


def _roughness(motion: npt.NDArray[np.float32]) -> float:
    """Mean third difference of the head's turns."""
    return float(np.abs(np.diff(motion[:, POSE][:, :3], 3, axis=0)).mean())


# --- pieces -------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", range(5, 12))
def test_a_blink_is_over_half_its_peak_for_as_long_as_it_says(frames: int) -> None:
    """Even numbers of frames included."""
    person = draw_people(5, seed=0)[0]
    object.__setattr__(person, "blink_frames", frames)
    middles = place_blinks(person, [(20, 35)])
    (blink,) = find_blinks(close_lids(person, middles, 60), 30)
    assert blink.offset - blink.onset + 1 == frames
    assert (blink.onset + blink.offset) / 2 == middles[0]


@pytest.mark.parametrize("rate", [0.1, 0.35, 0.6])
def test_pauses_come_at_their_rate_and_never_close(rate: float) -> None:
    """Over an hour; begins at least a second apart, 0.4 to 0.6 s long."""
    pauses = draw_pauses(rate, 30 * 3600, np.random.default_rng(0))
    assert len(pauses) / 3600 == pytest.approx(rate, rel=0.1)
    assert min(b[0] - a[0] for a, b in pairwise(pauses)) >= 29
    assert {last - first for first, last in pauses} <= set(range(12, 19))


def test_generated_scores_are_log_probabilities_and_silent_in_pauses() -> None:
    """Rows add up to 1; in a pause the blank is likeliest and the sound 20 dB down."""
    rng = np.random.default_rng(0)
    speech = GeneratedSpeech().speak(0, 300, [(100, 115)], rng)
    np.testing.assert_allclose(np.exp(speech.scores).sum(axis=1), 1, atol=1e-5)
    assert (speech.scores[100:115].argmax(axis=1) == 28).all()
    assert (speech.scores.argmax(axis=1) == 28).mean() < 0.5
    pause = speech.pcm[100 * 16000 // 30 : 115 * 16000 // 30].astype(float)
    assert len(speech.pcm) == 160_000
    assert np.sqrt(np.mean(pause**2)) < 0.1 * np.sqrt(np.mean(speech.pcm.astype(float) ** 2))


def test_silences_are_shortened_to_5_hundredths_of_a_second() -> None:
    """Half a second of tone, 0.7 s of silence, half a second of tone: 1.05 s are left."""
    tone = (8000 * np.sin(np.arange(SAMPLE_RATE // 2) / 5)).astype(np.int16)
    silence = np.zeros(int(0.7 * SAMPLE_RATE), np.int16)
    kept = shorten_silences(np.concatenate([tone, silence, tone]))
    assert len(kept) == pytest.approx(1.05 * SAMPLE_RATE, abs=0.011 * SAMPLE_RATE)
    np.testing.assert_array_equal(kept[: len(tone)], tone)
    assert len(shorten_silences(tone[:100])) == 0


def make_recordings(folder: Path, speakers: int, *, hush: float = 0.0) -> Path:
    """Two bursts with a hush of 0.2 s between them, two files a speaker, and their table."""
    import wave

    rng = np.random.default_rng(0)
    rows = ["path,speaker,corpus,licence,transcript,split"]
    folder.mkdir()
    for k in range(2 * speakers):
        with wave.open(str(folder / f"{k}.wav"), "wb") as file:
            file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
            sound = rng.normal(0, 3000, 2 * SAMPLE_RATE)
            sound[SAMPLE_RATE : int(1.2 * SAMPLE_RATE)] *= hush
            file.writeframes(sound.astype("<i2").tobytes())
        rows.append(f"{k}.wav,speaker{k // 2},test,none,words,train")
    (folder / "transcripts.csv").write_text("\n".join(rows))
    return folder


def test_noisy_recordings_are_left_out(tmp_path: Path) -> None:
    """A hush 20 dB under the bursts could be a pause or not."""
    folder = make_recordings(tmp_path / "speech", 2, hush=0.1)
    with pytest.raises(ToolkitError, match="no recording without noise"):
        make(tmp_path / "data", clips=4, seconds=6.0, identities=2, speech=folder)


def test_recordings_in_which_no_letter_is_heard_are_left_out(tmp_path: Path) -> None:
    """Bursts of noise are no speech to the acoustic model: all of them would be a pause."""
    folder = make_recordings(tmp_path / "speech", 2)
    with pytest.raises(ToolkitError, match="of speech that the acoustic model recognises"):
        make(tmp_path / "data", clips=4, seconds=6.0, identities=2, speech=folder)


def test_speech_is_heard_where_letters_are_nine_frames_apart_at_most() -> None:
    """Eight frames of blank between two letters; four before the first and after the last."""
    letter, blank = np.full(29, -9.0, np.float32), np.full(29, -9.0, np.float32)
    letter[5], blank[28] = -0.01, -0.01

    def hear(*lengths: int) -> bool:
        """Stretches of blank with a letter between each two."""
        first, *rest = ([blank] * length for length in lengths)
        return is_heard(np.array([*first, *(row for rows in rest for row in (letter, *rows))]))

    assert hear(4, 8, 4)
    assert not hear(4, 9, 4)
    assert not hear(5, 0)
    assert not hear(0, 5)
    assert not hear(3)


def test_recordings_become_speech_with_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scored by the embedded model, whose name is in the shards; a speaker for each identity."""
    monkeypatch.setattr("zoo.synthetic.speech.is_heard", lambda scores: True)
    folder = make_recordings(tmp_path / "speech", 2)
    dataset = make(tmp_path / "data", clips=4, seconds=6.0, identities=2, speech=folder)
    clips = load_clips(dataset, split=None)
    assert clips.backends["deepspeech"].startswith("embedded ")
    assert validate_dataset(dataset) == []
    with pytest.raises(ToolkitError, match="2 speakers are too few for 3 identities"):
        make_dataset(tmp_path / "new", SyntheticOptions(identities=3, speech=folder))
