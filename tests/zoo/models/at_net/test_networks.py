"""AT-net: sizes, what it reads, and what a trained one makes of a sound."""

import numpy as np
import pytest
import torch

from tests.zoo.models.at_net.hearing import play
from zoo import create_model
from zoo.data.mfcc import cut_frame_windows
from zoo.data.sound_landmarks import make_contract
from zoo.landmarks.aligned import AlignedStatistics, align_points, fit_alignment
from zoo.models.at_net.losses import coefficient_loss
from zoo.models.at_net.model import LandmarkSpeaker
from zoo.models.at_net.networks import create_at_net


def make_statistics(seed: int = 0) -> AlignedStatistics:
    """Random, with orthonormal directions."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(0, 0.4, (68, 2))
    return AlignedStatistics(
        mean_shape=mean,
        mean=mean.reshape(136) + rng.normal(0, 0.05, 136),
        pcs=np.linalg.qr(rng.normal(size=(136, 6)))[0].T,
    )


def make_model(fps: int = 25, seed: int = 0) -> LandmarkSpeaker:
    """A small network of random weights whose coefficients are of the order of 1."""
    torch.manual_seed(seed)
    network = create_at_net("small")
    torch.nn.init.normal_(network.head.weight, std=2.0)
    torch.nn.init.normal_(network.landmarks[2].weight, std=0.5)
    torch.nn.init.normal_(network.sound[18].weight, std=0.5)
    return LandmarkSpeaker(network.eval(), make_statistics(), make_contract(fps, "mesh"))


def count(network: torch.nn.Module) -> int:
    """Parameters."""
    return sum(value.numel() for value in network.parameters())


def test_the_preset_paper_has_30_071_750_parameters() -> None:
    """Convolutions without biases, norms of two numbers a channel; of an LSTM two biases a gate."""
    model = create_at_net("paper")
    face = (6 * 256 + 256) + (256 * 512 + 512)
    convolutions = 9 * (64 + 64 * 128 + 128 * 256 + 256 * 256 + 256 * 512)
    norms = 2 * (64 + 128 + 256 + 256 + 512)
    dense = (512 * 12 * 2 * 2048 + 2048) + (2048 * 256 + 256)
    lstm = 4 * 256 * (768 + 256 + 2) + 2 * 4 * 256 * (256 + 256 + 2)
    head = 256 * 6 + 6
    assert count(model.landmarks) == face
    assert count(model.sound) == convolutions + norms + dense
    assert count(model.lstm) == lstm
    assert count(model) == face + convolutions + norms + dense + lstm + head == 30_071_750


def test_small_is_a_thirtieth() -> None:
    assert count(create_at_net("small")) < 30_071_750 / 30


def test_a_frame_does_not_depend_on_later_ones() -> None:
    """Beyond its window, of which the LSTM sees those before."""
    model = make_model().network
    windows, face = 30 * torch.randn(2, 9, 28, 12), torch.randn(2, 6)
    other = windows.clone()
    other[:, 6:] += 30
    with torch.no_grad():
        a, b = model(windows, face), model(other, face)
    change = (a - b).abs().amax(dim=(0, 2))
    assert change[:6].max() < 1e-6
    assert change[6:].min() > 1e-4


def test_memory_that_is_handed_on_gives_what_one_run_gives() -> None:
    model = make_model().network
    windows, face = torch.randn(1, 12, 28, 12), torch.randn(1, 6)
    with torch.no_grad():
        whole = model(windows, face)
        first, memory = model.go_on(windows[:, :5], face, None)
        rest, _ = model.go_on(windows[:, 5:], face, memory)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole, atol=1e-5, rtol=1e-5)


def test_the_loss_is_the_mean_square_over_measured_frames() -> None:
    """Errors 1 and 3 in the frames that count, 9 in the other: (1 + 9) / 2."""
    target = torch.zeros(1, 3, 6)
    pred = torch.tensor([1.0, 9.0, 3.0])[None, :, None].expand(1, 3, 6)
    valid = torch.tensor([[True, False, True]])
    assert float(coefficient_loss(pred, target, valid)) == pytest.approx(5)
    assert float(coefficient_loss(pred, target, torch.zeros_like(valid))) == 0


# --- a model in use -----------------------------------------------------------------------------


def test_landmarks_lie_where_the_pictures_do_whatever_its_size_and_turn() -> None:
    """A face twice as large, turned by 0.3 and moved speaks as the other does, moved alike."""
    model = make_model()
    windows = cut_frame_windows(play(1.0), 0, 25, 25)
    face = model.statistics.mean_shape + np.random.default_rng(1).normal(0, 0.05, (68, 2))
    turn = 2 * np.array([[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]])
    moved = model.predict(windows, face @ turn + [300, 200])
    expected = model.predict(windows, face) @ turn + [300, 200]
    np.testing.assert_allclose(moved, expected, atol=2e-3)
    assert moved.shape == (25, 68, 2)
    assert np.ptp(expected, axis=0).max() > 0.01


def test_amplification_multiplies_coefficients() -> None:
    """By 1, …, 6: the differences to the mean along each direction grow as often."""
    model = make_model()
    windows, face = cut_frame_windows(play(1.0), 0, 25, 25), model.statistics.mean_shape
    encode = model.statistics.encode
    plain, same, more = (
        encode(model.predict(windows, face, factors, keep_face=False))
        for factors in (None, np.ones(6), np.arange(1.0, 7))
    )
    np.testing.assert_array_equal(plain, same)
    np.testing.assert_allclose(more, plain * np.arange(1.0, 7), atol=1e-4)


def test_a_face_keeps_what_six_directions_do_not_hold_of_it() -> None:
    """Moved by the same at every frame, and at the face's own coefficients the face itself."""
    model = make_model()
    windows = cut_frame_windows(play(1.0), 0, 25, 25)
    mean = model.statistics.mean_shape
    face = mean + np.random.default_rng(1).normal(0, 0.05, (68, 2))
    kept, plain = (model.predict(windows, face, keep_face=keep) for keep in (True, False))
    aligned = align_points(face, mean)
    rest = aligned - model.statistics.decode(model.statistics.encode(aligned))
    back = fit_alignment(face, mean).invert()
    moved = back.apply(aligned) - back.apply(aligned - rest)
    np.testing.assert_allclose(kept - plain, np.stack([moved] * 25), atol=1e-5)
    assert np.abs(moved).max() > 0.02


def test_a_long_sound_is_computed_in_blocks_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for fps in (25, 30):
        model, pcm = make_model(fps), play(2.0)
        whole = model.predict_sound(pcm, model.statistics.mean_shape)
        assert whole.shape == (2 * fps, 68, 2)
        windows = cut_frame_windows(pcm, 0, 2 * fps, fps)
        again = model.predict(windows, model.statistics.mean_shape)
        np.testing.assert_allclose(again, whole, atol=1e-6)
        with monkeypatch.context() as patch:
            patch.setattr("zoo.models.at_net.model._BLOCK", 7)
            blocks = model.predict_sound(pcm, model.statistics.mean_shape)
        np.testing.assert_allclose(blocks, whole, atol=1e-5)


@pytest.mark.parametrize(("fps", "lead"), [(25, 4.375), (30, 5.25)])
def test_an_impulse_moves_no_frame_before_0_175_s(fps: int, lead: float) -> None:
    """2,800 samples behind its beginning a frame's window ends: 4.375 frames of 25 a second.

    The same landmarks come of a sound with and without an impulse in every frame whose window does
    not reach it, and others in the first that does.
    """
    model, face = make_model(fps), make_statistics().mean_shape
    pcm = play(1.2)
    other = pcm.copy()
    other[12_800] += 20_000  # 0.8 s: frame 20 of 25 a second, 24 of 30
    a, b = (model.predict_sound(x, face) for x in (pcm, other))
    moved = np.flatnonzero(np.abs(a - b).max(axis=(1, 2)) > 1e-6)
    assert moved[0] == int(np.floor(0.8 * fps - lead)) + 1
    assert moved[-1] == len(a) - 1  # the LSTM remembers


def test_nothing_to_say_gives_no_frame_and_five_milliseconds_give_one() -> None:
    model = make_model()
    face = model.statistics.mean_shape
    assert model.predict(np.zeros((0, 28, 12)), face).shape == (0, 68, 2)
    assert model.predict_sound(np.ones(80, np.int16), face).shape == (1, 68, 2)


@pytest.mark.parametrize(
    ("windows", "face", "factors", "message"),
    [
        ((4, 28, 13), (68, 2), None, r"windows \(4, 28, 13\): the model reads \(n, 28, 12\)"),
        ((4, 28, 12), (478, 2), None, r"a face \(478, 2\)"),
        ((4, 28, 12), (68, 2), np.ones(5), r"amplification \(5,\)"),
    ],
)
def test_arrays_of_another_shape_are_refused(
    windows: tuple[int, ...], face: tuple[int, ...], factors: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_model().predict(np.zeros(windows), np.ones(face), factors)  # type: ignore[arg-type]


def test_a_face_in_one_place_is_refused() -> None:
    with pytest.raises(ValueError, match="in one place"):
        make_model().predict(np.zeros((4, 28, 12)), np.ones((68, 2)))


def test_both_presets_read_one_shape() -> None:
    for preset in ("paper", "small"):
        model = create_model("at-net", preset)
        assert model(torch.randn(2, 3, 28, 12), torch.randn(2, 6)).shape == (2, 3, 6)
