"""Fingerprints: what stays in a copy, and what is told apart."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from toolkit.features.fingerprint import (
    PICTURE_SHIFT,
    PICTURE_SIGNS,
    SOUND_SIGNS,
    fingerprint_clip,
    hash_pictures,
    hash_sound,
    make_small,
)
from toolkit.mesh import EYE_CORNERS

FPS, SECONDS = 30, 4
EYES = {33: (20.0, 24.0), 133: (26.0, 24.0), 263: (44.0, 24.0), 362: (38.0, 24.0)}


def make_sound(seed: int) -> npt.NDArray[np.int16]:
    """Noise whose bands rise and fall ten times a second, each by itself."""
    generator = np.random.default_rng(seed)
    num_samples, sound = SECONDS * 16000, np.zeros(SECONDS * 16000)
    spectrum = np.fft.rfft(generator.normal(size=num_samples))
    places = np.fft.rfftfreq(num_samples, 1 / 16000)
    for low in range(250, 2200, 150):
        band = np.fft.irfft(np.where((places >= low) & (places < low + 150), spectrum, 0))
        level = np.interp(
            np.arange(num_samples) / 16000,
            np.arange(0, SECONDS + 0.2, 0.1),
            generator.uniform(0, 1, SECONDS * 10 + 2),
        )
        sound += band * level
    return np.asarray(sound / abs(sound).max() * 12000, np.int16)


def make_face(seed: int) -> npt.NDArray[np.uint8]:
    """(120, 64, 64) blocks of grey that change ten times a second, each by itself."""
    generator = np.random.default_rng(seed)
    keys = generator.uniform(0, 255, (SECONDS * 10 + 2, 8, 8))
    times = np.arange(SECONDS * FPS) * 10 / FPS
    first = times.astype(int)
    share = (times - first)[:, None, None]
    small = keys[first] * (1 - share) + keys[first + 1] * share
    return np.stack([cv2.resize(each, (64, 64)) for each in small]).round().astype(np.uint8)


def make_landmarks() -> npt.NDArray[np.float32]:
    """The same eyes in every frame."""
    landmarks = np.zeros((SECONDS * FPS, 478, 2), np.float32)
    for index, place in EYES.items():
        landmarks[:, index] = place
    return landmarks


def compare_signs(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64], signs: int) -> float:
    """Share of differing signs."""
    num = min(len(one), len(other))
    differ = (one[:num] ^ other[:num]) & ((1 << signs) - 1)
    return sum(value.bit_count() for value in differ.tolist()) / (signs * num)


def test_quieter_and_noisy_sound_keeps_its_signs_and_other_sound_has_others() -> None:
    sound, generator = make_sound(0), np.random.default_rng(1)
    copy = np.asarray(sound * 0.3 + generator.normal(0, 120, len(sound)), np.int16)
    first = hash_sound(sound)
    assert compare_signs(first, hash_sound(copy), SOUND_SIGNS) < 0.1
    assert 0.4 < compare_signs(first, hash_sound(make_sound(2)), SOUND_SIGNS) < 0.6


def test_sound_cut_between_two_steps_keeps_most_of_its_signs() -> None:
    sound = make_sound(0)
    cut = hash_sound(sound[5 * 1600 + 800 :])
    assert compare_signs(hash_sound(sound)[5:], cut, SOUND_SIGNS) < 0.25


def test_a_band_that_grows_against_the_next_one_sets_its_sign() -> None:
    """Two tones, of the lowest band and of the one above it; after 2 s the lower one ends."""
    edges = np.round(np.geomspace(300, 2000, 18) * 8192 / 16000).astype(int)
    low, high = ((edges[k] + edges[k + 1]) / 2 * 16000 / 8192 for k in (0, 1))
    times = np.arange(4 * 16000) / 16000
    tones = np.sin(2 * np.pi * low * times) * (times < 2) + np.sin(2 * np.pi * high * times)
    numbers = hash_sound(np.asarray(8000 * tones, np.int16))
    place = 16  # the change over 0.3 s behind 1.6 s, in windows of 0.5 s, meets the end
    assert numbers[place] & 1
    assert numbers[place] >> SOUND_SIGNS & 15 == 0  # it is the greatest


def test_silence_and_a_still_picture_leave_no_trace() -> None:
    still = np.repeat(make_face(0)[:1], SECONDS * FPS, axis=0)
    numbers = fingerprint_clip(np.zeros(SECONDS * 16000, np.int16), still, make_landmarks(), FPS)
    assert len(numbers) == SECONDS * 10 - 3
    assert not numbers.any()


@pytest.mark.parametrize("fps", [25, 30])
def test_a_clip_of_any_length_has_a_number_for_each_step_that_a_change_begins_in(fps: int) -> None:
    face, landmarks = make_face(0), make_landmarks()
    for num in (1, 2, fps // 3, *range(60, 76)):
        numbers = hash_pictures(face[:num], landmarks[:num], fps)
        assert abs(len(numbers) - max(num / fps * 10 - 3, 0)) < 1
    few = fingerprint_clip(np.ones(5000, np.int16), face[:8], landmarks[:8], 25)
    assert len(few) == 0


def test_a_smaller_brighter_face_elsewhere_keeps_its_signs_and_another_face_has_others() -> None:
    face, landmarks = make_face(0), make_landmarks()
    matrix = np.array([[0.8, 0.0, 9.0], [0.0, 0.8, 4.0]])
    moved = np.stack([cv2.warpAffine(each, matrix, (64, 64)) for each in face])
    moved = np.clip(moved * 0.9 + 20, 0, 255).astype(np.uint8)
    in_moved = landmarks.copy()
    for pair in EYE_CORNERS:
        in_moved[:, pair] = landmarks[:, pair] * 0.8 + (9, 4)
    first = hash_pictures(face, landmarks, FPS)
    assert compare_signs(first, hash_pictures(moved, in_moved, FPS), PICTURE_SIGNS) < 0.1
    other = hash_pictures(make_face(1), landmarks, FPS)
    assert 0.4 < compare_signs(first, other, PICTURE_SIGNS) < 0.6


def test_sound_and_picture_stand_in_their_own_bits() -> None:
    sound, face, landmarks = make_sound(0), make_face(0), make_landmarks()
    numbers = fingerprint_clip(sound, face, landmarks, FPS)
    heard, seen = hash_sound(sound), hash_pictures(face, landmarks, FPS)
    assert (numbers >> PICTURE_SHIFT == seen).all()
    assert (numbers[: len(heard)] & ((1 << PICTURE_SHIFT) - 1) == heard).all()
    assert numbers.min() >= 0 and numbers.max() < 1 << 59


def test_a_crop_is_made_small_and_grey() -> None:
    """Green counts 0.587 of grey."""
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[:, 128:, 1] = 200
    small = make_small(picture)
    assert small.shape == (64, 64)
    assert (small[0, 0], small[0, 63]) == (0, 117)
