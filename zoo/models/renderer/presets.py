"""Named variants of the rendering-to-video network: sizes, windows and losses that go together."""

from dataclasses import dataclass

HALF_WINDOW = 5
"""N_w: a window has 2·N_w frames, t − 5 … t + 4 (FACIAL, section 3.4).

The paper gives no N_w: 5 is the released code's.
"""


@dataclass(frozen=True, kw_only=True)
class WindowShape:
    """What the network sees around frame t.

    Attributes:
        current: index of frame t among the 2·N_w frames.
        channels: of each frame: red, green, blue, eye attention; 3 paint the blink into the
            colours, as the released code does.
    """

    current: int = 5
    channels: int = 4

    @property
    def num_channels(self) -> int:
        """C, of the whole window."""
        return 2 * HALF_WINDOW * self.channels


PAPER_WINDOW = WindowShape()


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a name stands for.

    Attributes:
        epochs, learning_rate: the paper's (section 5.1) where it says none.
        window: what the networks see.
        generator: "module:class" of (channels, side of a picture).
        discriminator_width: its first channels.
        packed: the discriminator looks at four pixels as one of four times the channels.
        half_size_judge: the perceptual term looks at pictures of half the size.
        imagenet_colors: it sees ImageNet's colours; else those of −1 to 1.
        mean_over_scales: features are matched by the mean over scales, else their sum.
        parts: of the input, that may be left out.
        alpha: the generator gives an alpha beside the colours; else, and where whole frames are
            drawn, it draws all of the square.
        patches: mouth and eyes count more, and have discriminators of their own.
    """

    epochs: int = 50
    learning_rate: float = 1e-4
    window: WindowShape = PAPER_WINDOW
    generator: str = "zoo.models.renderer.networks:Generator"
    discriminator_width: int = 64
    packed: bool = False
    half_size_judge: bool = False
    imagenet_colors: bool = True
    mean_over_scales: bool = False
    parts: tuple[str, ...] = ("eyes",)
    alpha: bool = True
    patches: bool = True


PRESETS = {
    "paper": Preset(),
    "small": Preset(
        epochs=5,
        learning_rate=4e-4,  # there are few steps to learn in
        generator="zoo.models.renderer.networks:SmallGenerator",
        discriminator_width=16,
        packed=True,
        half_size_judge=True,
    ),
    "official": Preset(
        window=WindowShape(current=6, channels=3),
        imagenet_colors=False,
        mean_over_scales=True,
        parts=(),
        alpha=False,
        patches=False,
    ),
}
"""`paper` as the paper has it, where it is silent in the released code's sizes; `small` for one
core of a CPU; `official`, as the released code has it."""
