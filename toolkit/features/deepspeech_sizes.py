"""Sizes of the network of deepspeech.pytorch, apart from it: commands know them without torch."""

from dataclasses import dataclass

RECURRENT_TYPES = ("lstm", "gru", "rnn")


@dataclass(frozen=True, kw_only=True)
class NetworkSizes:
    """What may differ from one network to the next; the default is the project's small one.

    `lookahead` is the context (outputs) of the convolution that follows a network of one
    direction, 0 for a bidirectional one, which has none.
    """

    conv_channels: tuple[int, int] = (16, 16)
    rnn_type: str = "lstm"
    hidden_size: int = 320
    num_layers: int = 3
    bidirectional: bool = True
    lookahead: int = 0

    def __post_init__(self) -> None:
        if self.rnn_type not in RECURRENT_TYPES:
            raise ValueError(f"rnn_type {self.rnn_type!r} is none of {', '.join(RECURRENT_TYPES)}")
        if min(*self.conv_channels, self.hidden_size, self.num_layers) < 1:
            raise ValueError(f"every size must be positive: {self}")
        if self.bidirectional == (self.lookahead > 0):
            raise ValueError("a network of one direction has a lookahead, a bidirectional one none")

    def __str__(self) -> str:
        directions = "bidirectional" if self.bidirectional else f"lookahead {self.lookahead}"
        return f"{self.num_layers}x{self.hidden_size} {self.rnn_type} {directions}"
