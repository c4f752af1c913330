"""G_L and D_L: sizes, what they begin with, what they read."""

import numpy as np
import pytest
import torch

from zoo import create_model
from zoo.landmarks.statistics import LandmarkStatistics
from zoo.models.l_gan.model import LandmarkModel
from zoo.models.l_gan.networks import create_l_gan


def make_statistics(seed: int = 0) -> LandmarkStatistics:
    """Random, with orthonormal directions."""
    rng = np.random.default_rng(seed)
    return LandmarkStatistics(
        canonical_neutral=rng.normal(size=(68, 2)),
        displacement_mean=rng.normal(0, 0.1, 136),
        displacement_pcs=np.linalg.qr(rng.normal(size=(136, 33)))[0].T,
        eye_mean=np.zeros(44),
        eye_pcs=np.eye(44)[:5],
        eye_min=np.zeros(44),
        eye_max=np.zeros(44),
    )


def count(network: torch.nn.Module) -> int:
    """Parameters."""
    return sum(value.numel() for value in network.parameters())


def test_the_parameters_of_the_preset_paper_are_these() -> None:
    """Convolutions 29·32·3+32, 32·32·3+32, 32·64·3+64, 64·64·3+64; 64·128+128, 128·33+33; 33 PCs.

    D_L: 136·33+33 and 33+1.
    """
    model = create_l_gan("paper")
    encoder = 2816 + 3104 + 6208 + 12352 + 8320 + 4257
    assert count(model.generator.encoder) == encoder == 37_057
    assert count(model.generator.decoder) == 33 * 136 + 136 == 4_624
    assert count(model.discriminator) == 4_521 + 34


@pytest.mark.parametrize("num_taps", [2, 4, 6, 8, 10])
@pytest.mark.parametrize("preset", ["paper", "small"])
def test_any_window_of_speech_gives_68_points(preset: str, num_taps: int) -> None:
    model = create_model("l-gan", preset, num_taps=num_taps)
    assert model(torch.randn(3, 5, num_taps, 29)).shape == (3, 5, 68, 2)


def test_a_stretch_is_its_frames_one_by_one() -> None:
    model = create_l_gan("small")
    taps = torch.randn(2, 3, 6, 29)
    together, alone = model(taps), model(taps[1, 2][None])[0]
    torch.testing.assert_close(together[1, 2], alone)


def test_the_generator_begins_with_the_training_parts_directions() -> None:
    """A bottleneck of (0, …, 2 at k, …) gives the mean displacement plus twice direction k."""
    statistics, model = make_statistics(), create_l_gan("small")
    model.generator.initialise(statistics, torch.zeros(29), torch.ones(29))
    code = torch.zeros(33)
    code[4] = 2
    expected = statistics.displacement_mean + 2 * statistics.displacement_pcs[4]
    found = model.generator.decoder(code).detach().numpy()
    assert found == pytest.approx(expected, abs=1e-6)
    assert all(value.requires_grad for value in model.generator.decoder.parameters())


def test_the_discriminator_begins_by_reading_the_coefficients_of_landmarks() -> None:
    """Of the canonical face plus the mean displacement plus 3 of direction 7: 3 at place 7."""
    statistics, model = make_statistics(), create_l_gan("small")
    model.discriminator.initialise(statistics)
    moved = statistics.displacement_mean + 3 * statistics.displacement_pcs[7]
    points = statistics.canonical_neutral + moved.reshape(68, 2)
    found = model.discriminator.encoder(torch.from_numpy(points).float().flatten())
    expected = np.zeros(33)
    expected[7] = 3
    assert found.detach().numpy() == pytest.approx(expected, abs=1e-5)


def test_log_probabilities_and_what_is_before_the_softmax_are_read_alike() -> None:
    """They differ by one number for all symbols of a tap."""
    model, logits = create_l_gan("small"), 3 * torch.randn(4, 6, 29)
    torch.testing.assert_close(
        model(logits), model(logits.log_softmax(dim=-1)), atol=1e-5, rtol=1e-4
    )


def test_scores_are_standardised_less_their_mean_by_the_training_part_s_statistics() -> None:
    """Numbers of another level and size have the same directions behind them."""
    statistics, taps = make_statistics(), torch.randn(4, 6, 29)
    taps = taps - taps.mean(dim=-1, keepdim=True)
    found = []
    for size in (1.0, 3.0):
        torch.manual_seed(0)
        model = create_l_gan("small")
        model.generator.initialise(statistics, torch.zeros(29), torch.full((29,), size))
        found.append(model(taps * size - 7))
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)


def test_weights_from_before_scores_were_centred_give_what_they_gave() -> None:
    """By hand: standardised as they are, and then through the layers."""
    model, taps = create_l_gan("small"), torch.randn(4, 6, 29) - 5
    mean, scale = torch.randn(29), torch.rand(29) + 0.5
    model.generator.initialise(make_statistics(), mean, scale)
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("centring")}
    other = create_l_gan("small")
    other.load_state_dict(state)
    own = model.generator
    expected = own.decoder(own.encoder(((taps - mean) / scale).transpose(1, 2)))
    torch.testing.assert_close(other(taps), expected.reshape(4, 68, 2))


def test_the_model_adds_the_canonical_face() -> None:
    statistics = make_statistics()
    network = create_l_gan("small").generator
    model = LandmarkModel(network, statistics, 6)
    taps = np.random.default_rng(0).normal(size=(7, 6, 29)).astype(np.float32)
    with torch.no_grad():
        moved = network(torch.from_numpy(taps)).numpy()
    assert model.predict(taps) == pytest.approx(moved + statistics.canonical_neutral, abs=1e-6)
    assert model.predict(taps[:0]).shape == (0, 68, 2)


def test_long_speech_is_computed_in_blocks_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = LandmarkModel(create_l_gan("small").generator, make_statistics(), 6)
    taps = np.random.default_rng(0).normal(size=(30, 6, 29)).astype(np.float32)
    whole = model.predict(taps)
    monkeypatch.setattr("zoo.models.l_gan.model._BLOCK", 7)
    assert model.predict(taps) == pytest.approx(whole, abs=1e-6)


def test_another_number_of_taps_is_refused() -> None:
    model = LandmarkModel(create_l_gan("small").generator, make_statistics(), 6)
    with pytest.raises(ValueError, match=r"taps \(4, 8, 29\): the model reads \(n, 6, 29\)"):
        model.predict(np.zeros((4, 8, 29), np.float32))
