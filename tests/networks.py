"""Speech networks of random weights, for tests that need a network and no knowledge of speech."""

import torch

from toolkit.features.deepspeech import DeepSpeechNetwork, NetworkSizes

TINY = NetworkSizes(conv_channels=(2, 3), rnn_type="gru", hidden_size=12, num_layers=2)


def make_random_network(sizes: NetworkSizes = TINY) -> DeepSpeechNetwork:
    """Always the same weights, ready to run."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DeepSpeechNetwork(sizes).eval()
