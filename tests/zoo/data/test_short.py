"""Clips shorter than a window: one window, padded at its end, of which padding counts nowhere."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets import FPS, FakeClip, write_dataset
from toolkit import torch_dataset
from zoo.data import MIN_FRAMES, MotionClip, MotionWindows, Normalisation
from zoo.data.layout import WINDOW
from zoo.metrics.dynamics import measure_spectrum
from zoo.models.facial.model import FacialGan, create_facial_gan
from zoo.models.style.model import StyleClassifier, StyleClassifiers, StyleWindows

OBJECTIVES = ("paper", "official")


def make_clip(num_frames: int, clip_id: str = "c") -> MotionClip:
    """Random audio and motion, all of it measured."""
    rng = np.random.default_rng(num_frames)
    return MotionClip(
        id=clip_id, identity="ann", source=f"{clip_id}.mp4", start_frame=0, fps=FPS,
        audio=rng.normal(-3, 2, (num_frames, 29)).astype(np.float32),
        motion=rng.normal(1, 3, (num_frames, 71)).astype(np.float32),
        valid=np.ones(num_frames, bool),
    )  # fmt: skip


def make_mask(*lengths: int, num_frames: int = 32) -> torch.Tensor:
    return torch.arange(num_frames) < torch.tensor(lengths)[:, None]


# --- windows ------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 200), min_size=1, max_size=5))
def test_a_short_clip_is_one_window_with_nothing_of_its_neighbours(lengths: list[int]) -> None:
    """Of 16 to 127 frames; what stands behind it is zero and masked, as is what is before."""
    clips = [make_clip(n, f"c{k}") for k, n in enumerate([*lengths, 40])]
    normalisation = Normalisation.fit(clips)
    windows = MotionWindows(clips, normalisation, stride=7)
    batch = windows.gather(np.arange(len(windows)))
    assert batch.mask is not None
    for k, clip in enumerate(clips):
        of_clip = np.flatnonzero(batch.clip == k)
        length = clip.num_frames
        if length >= WINDOW:
            assert batch.mask[of_clip].all()
            continue
        assert len(of_clip) == (length >= MIN_FRAMES)
        for row in of_clip:
            assert batch.start[row] == 0
            assert torch.equal(batch.mask[row], torch.arange(WINDOW) < length)
            assert torch.equal(batch.valid[row], batch.mask[row])
            motion = torch.from_numpy(normalisation.normalise_motion(clip))
            audio = torch.from_numpy(normalisation.normalise_audio(clip.audio))
            assert torch.equal(batch.motion[row, :length], motion)
            assert torch.equal(batch.audio[row, 8 : 8 + length], audio)
            assert not batch.motion[row, length:].any()
            assert not batch.audio[row, :8].any() and not batch.audio[row, 8 + length :].any()


def test_a_batch_without_a_short_clip_has_no_mask_and_its_windows_are_as_before() -> None:
    """A short clip in the dataset changes no number of the others' windows."""
    clips = [make_clip(200, "a"), make_clip(150, "b")]
    normalisation = Normalisation.fit(clips)
    alone = MotionWindows(clips, normalisation)
    beside = MotionWindows([*clips, make_clip(60, "c")], normalisation)
    assert len(beside) == len(alone) + 1
    first, second = (w.gather(np.arange(len(alone))) for w in (alone, beside))
    assert first.mask is None and second.mask is None
    assert first.num_frames == WINDOW
    for name in ("audio", "motion", "valid", "clip", "start"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name


def test_own_frames_of_a_batch_are_counted_and_split() -> None:
    clips = [make_clip(128, "a"), make_clip(20, "b")]
    windows = MotionWindows(clips, Normalisation.fit(clips))
    batch = windows.gather(np.arange(2))
    assert batch.num_frames == 74
    assert [len(part) for part in batch.split(batch.motion)] == [128, 20]
    assert batch.to("cpu").mask is not None


def test_statistics_are_those_of_the_clips_frames() -> None:
    """Normalisation knows clips, not windows: by hand from all frames together."""
    clips = [make_clip(20, "a"), make_clip(150, "b")]
    known = Normalisation.fit(clips)
    audio = np.concatenate([clip.audio for clip in clips])
    np.testing.assert_allclose(known.audio_mean, audio.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(known.audio_scale, audio.std(axis=0), rtol=1e-5)


def test_a_dataset_for_pytorch_pads_short_clips_where_it_is_asked_to(tmp_path: Path) -> None:
    clips = [FakeClip(num_frames=9), FakeClip(source="b.mp4", num_frames=5), FakeClip(
        source="c.mp4", num_frames=3)]  # fmt: skip
    write_dataset(tmp_path, {"aaaaaaaaaaaa": clips})
    assert len(torch_dataset(tmp_path, ["face/pose"], 8)) == 2
    padded = torch_dataset(tmp_path, ["face/pose"], 8, min_frames=4)
    items = [padded[k] for k in range(len(padded))]
    assert [int(item["num_frames"]) for item in items] == [8, 8, 5]
    assert items[2]["face/pose"][:5].any(dim=1).all()
    assert not items[2]["face/pose"][5:].any() and not items[2]["face/valid"][5:].any()


# --- losses -------------------------------------------------------------------------------------


def measure(
    model: FacialGan, pred: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None
) -> list[torch.Tensor]:
    """Every loss of a step, then the gradient of the generator's at `pred`, then D's own."""
    pred = pred.clone().requires_grad_()
    num_frames = pred.shape[1] if mask is None else int(mask.sum()) / len(mask)
    model.discriminator.zero_grad()
    terms = model.objective.regression(pred, target, mask=mask)
    logits = [model.discriminator(motion, mask) for motion in (target, pred.detach())]
    judged = model.objective.discriminator(*logits)
    judged.backward()
    own = [p.grad.clone() for p in model.discriminator.parameters() if p.grad is not None]
    fooled = model.objective.adversarial(model.discriminator(pred, mask), num_frames)
    (sum(terms.values()) + fooled).backward()
    assert pred.grad is not None
    return [*terms.values(), judged, fooled, pred.grad, *own]


@pytest.mark.parametrize("preset", OBJECTIVES)
@settings(deadline=None, max_examples=8)
@given(lengths=st.lists(st.integers(2, 32), min_size=2, max_size=2), seed=st.integers(0, 99))
def test_what_stands_in_padding_changes_no_loss_and_no_gradient(
    preset: str, lengths: list[int], seed: int
) -> None:
    """To the bit; and the generator's gradient there is zero."""
    torch.manual_seed(seed)
    model = create_facial_gan(preset).train()
    mask = make_mask(*lengths)
    pred, target, noise, other = (torch.randn(2, 32, 71) for _ in range(4))
    expected = measure(model, pred, target, mask)
    inside = mask[..., None]
    found = measure(model, pred.where(inside, 1e3 * noise), target.where(inside, 1e3 * other), mask)
    assert all(map(torch.equal, expected, found))
    assert not expected[9][~mask].any()


@pytest.mark.parametrize("preset", OBJECTIVES)
def test_losses_of_a_padded_window_are_those_of_the_short_one(preset: str) -> None:
    """Reconstruction and steps, as if the window had been cut to its frames."""
    regression = create_facial_gan(preset).objective.regression
    pred, target = torch.randn(2, 1, 32, 71)
    short = regression(pred[:, :20], target[:, :20])
    padded = regression(pred, target, mask=make_mask(20))
    assert short.keys() == padded.keys()
    for name, term in short.items():
        torch.testing.assert_close(padded[name], term, msg=name)


@pytest.mark.parametrize("preset", OBJECTIVES)
def test_a_mask_without_padding_changes_no_loss(preset: str) -> None:
    torch.manual_seed(0)
    model = create_facial_gan(preset)
    pred, target = torch.randn(2, 2, 32, 71)
    plain = measure(model, pred, target, None)
    for one, two in zip(plain, measure(model, pred, target, make_mask(32, 32)), strict=True):
        torch.testing.assert_close(one, two)


def test_full_windows_give_the_numbers_that_they_gave_without_masks() -> None:
    """Loss and gradient of eqs. 4-6 to the bit, term by term in this order."""
    torch.manual_seed(0)
    pred, target = torch.randn(2, 3, WINDOW, 71)
    preds = [pred.clone().requires_grad_() for _ in range(2)]
    error = preds[0] - target
    squares, steps = error.square(), error.diff(dim=1).square()
    terms, scale = list[torch.Tensor](), 1 / (71 * WINDOW * 3)
    for part, weight in ((slice(0, 64), 2), (slice(64, 70), 1), (slice(70, 71), 5)):
        terms.append(scale * weight * squares[..., part].sum())
        terms.append(scale * weight * 10 * steps[..., part].sum())
    terms.append(scale * 10 * error[:, 0].abs().sum())
    found = create_facial_gan("small").objective.regression(preds[1], target, mask=None)
    assert all(map(torch.equal, found.values(), terms))
    for losses in (terms, list(found.values())):
        torch.stack(losses).sum().backward()
    assert preds[0].grad is not None and preds[1].grad is not None
    assert torch.equal(preds[0].grad, preds[1].grad)


def test_the_discriminator_judges_patches_in_whose_middle_a_frame_of_the_clip_stands() -> None:
    """Of 32 + 31 rows every eighth: 0, 8, 16, 24 are frames, 32, 40, 48, 56 steps 0, 8, 16, 24.

    A clip of 17 frames has frames 0, 8, 16 and, of its 16 steps, 0 and 8; nine columns each.
    """
    model = create_facial_gan("small")
    logits = model.discriminator(torch.randn(2, 32, 71), make_mask(17, 32))
    assert logits.shape == (5 + 8, 9)


# --- style --------------------------------------------------------------------------------------


def make_classifier() -> StyleClassifier:
    torch.manual_seed(0)
    return StyleClassifier(6, 3).eval()


def test_padding_changes_no_score_of_style() -> None:
    classifier, mask = make_classifier(), make_mask(70, 128, num_frames=128)
    motion, noise = torch.randn(2, 2, 128, 6)
    scores = classifier(motion, mask)
    assert torch.equal(scores, classifier(motion.where(mask[..., None], 1e3 * noise), mask))
    torch.testing.assert_close(scores[1], classifier(motion)[1])
    assert not torch.allclose(scores[0], classifier(motion)[0])


def test_short_clips_are_judged_by_their_style() -> None:
    """Of 16 frames or more; each is one window."""
    clips = [("a", make_clip(n).motion) for n in (15, 16, 75)]
    windows = StyleWindows(clips, ["a"], 5)
    assert len(windows) == 2
    mask = windows.make_mask(np.arange(2))
    assert mask is not None and mask.sum(dim=1).tolist() == [16, 75]
    confusion = StyleClassifiers(("a",), FPS).measure(clips)["pose"]
    assert confusion.accuracy == 1


# --- spectra ------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_frames", [16, 75, 127, 128])
def test_the_power_of_a_short_clip_is_that_of_a_long_one(num_frames: int) -> None:
    """White noise of deviation 1: the velocity's variance is 2 · fps², over the sum of all bands.

    The lowest bin is in no band; where a window is short, a little of its neighbours is.
    """
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=(num_frames, 71)) for _ in range(400)]
    spectrum = measure_spectrum(clips, 30)
    assert spectrum.num_windows == 400
    assert spectrum.power["au45"].sum() == pytest.approx(2 * 30**2, rel=0.05)


def test_a_figure_of_long_clips_counts_the_short_ones_as_windows() -> None:
    make: Callable[[int], np.ndarray] = np.random.default_rng(0).normal
    long, short = make(size=(128, 71)), make(size=(60, 71))  # type: ignore[call-arg]
    parts = [measure_spectrum([motion], 30).power["au45"] for motion in (long, short)]
    both = measure_spectrum([long, short], 30)
    np.testing.assert_allclose(both.power["au45"], np.mean(parts, axis=0))
