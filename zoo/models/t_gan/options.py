"""Options of `zoo train t-gan` and `zoo finetune t-gan`."""

from dataclasses import dataclass
from pathlib import Path

from zoo.models.t_gan.presets import FINETUNING_EPOCHS, NUM_PICTURES, PRESETS
from zoo.training.options import AUTO, FACE, RunOptions, option

NONE = "none"

MAML, TRANSFER = "maml", "transfer"

ABLATIONS = {
    "": (),
    "adversarial": ("adversarial",),
    "feature": ("adversarial", "feature"),
    "adain": ("adversarial", "feature", "adain"),
}
"""Rows of Table 3, from the last to the first: what each leaves out."""

META_RATE = 1e-4
"""Of Adam, for the global weights (section 4.3)."""

INNER_RATE = 1e-3
"""Of the inner steps (section 4.3)."""

BETAS = (0.5, 0.999)
"""Of Adam; the paper prints none."""

_VGG_HELP = "Weights of VGG19. Default: those of ttk weights --fetch vgg19, else a random network."
_VGG_FACE_HELP = "Weights of VGGFace, as torch tensors."
_FACE_HELP = "In VGGFace's place. auto: face where the extra identity is installed, else none."


@dataclass(frozen=True, kw_only=True)
class TGanRecipe(RunOptions):
    """Options of a run."""

    shards: Path = option("The dataset's folder shards, its manifests beside it.")
    preset: str = option(
        "small: 128 px, for CPUs; paper: 256 px.", default="small", one_of=tuple(PRESETS)
    )
    epochs: int = option("An epoch is every person once. 0: the preset's.", default=0, at_least=0)
    meta: str = option(
        "maml: learn to be fine-tuned (Fig. 3); transfer: learn from everyone (Fig. 8).",
        default=MAML,
        one_of=(MAML, TRANSFER),
    )
    inner_steps: int = option("m, of maml.", default=5, at_least=1)
    inner_rate: float = option("Of maml's inner steps.", default=INNER_RATE, above=0)
    inner: str = option("Optimiser of maml's inner steps.", default="adam", one_of=("adam", "sgd"))
    second_order: bool = option(
        "Through maml's inner steps, which are of sgd then; for small.", default=False
    )
    batch_size: int = option(
        "People of a step, over all processes; the mean of their gradients is taken.",
        default=1,
        at_least=1,
    )
    learning_rate: float = option("Of Adam, for the global weights.", default=META_RATE, above=0)
    ablate: str = option(
        "A row of Table 3. adversarial: without that loss; feature: nor eq. 10; adain: nor AdaIN.",
        default="",
        one_of=tuple(ABLATIONS),
    )
    vgg: Path | None = option(_VGG_HELP, default=None)
    vgg_face: Path | None = option(_VGG_FACE_HELP, default=None)
    face: str = option(_FACE_HELP, default=AUTO, one_of=(AUTO, FACE, NONE))

    def __post_init__(self) -> None:
        """Take the preset's epochs, refuse what does not go together: ValueError."""
        super().__post_init__()
        check_face(self.face, self.vgg_face)
        if self.second_order and self.meta != MAML:
            raise ValueError("--second-order is of --meta maml")
        if self.second_order and self.inner != "sgd":
            raise ValueError("--second-order goes through gradient descent: give --inner sgd")
        if self.second_order and self.preset != "small":
            raise ValueError("--second-order keeps all inner steps in memory: take --preset small")
        object.__setattr__(self, "epochs", self.epochs or PRESETS[self.preset].epochs)


@dataclass(frozen=True, kw_only=True)
class FinetuneRecipe(RunOptions):
    """Options of fine-tuning to one person."""

    base: Path = option("Checkpoint to begin with, as runs/tgan/best.pt.")
    images: str = option(
        "Whom to learn: a folder of pictures, a video, one picture; or, with --shards, the id of a "
        "clip or its beginning.",
        metavar="FOLDER|VIDEO|CLIP_ID",
    )
    shards: Path | None = option(
        "The folder shards of a clip's dataset, its manifests beside it.", default=None
    )
    epochs: int = option("An epoch is every picture once.", default=FINETUNING_EPOCHS, at_least=1)
    num_pictures: int = option("K, pictures to learn from.", default=NUM_PICTURES, at_least=1)
    learning_rate: float = option("Of Adam.", default=INNER_RATE, above=0)
    workers: int = 0  # no option: the few pictures are in memory
    vgg: Path | None = option(_VGG_HELP, default=None)
    vgg_face: Path | None = option(_VGG_FACE_HELP, default=None)
    face: str = option(_FACE_HELP, default=AUTO, one_of=(AUTO, FACE, NONE))

    def __post_init__(self) -> None:
        """Refuse what does not go together: ValueError."""
        super().__post_init__()
        check_face(self.face, self.vgg_face)
        is_there = Path(self.images).exists()
        if self.shards is None and not is_there:
            raise ValueError(
                f"--images {self.images}: no such folder, video or picture; the id of a clip "
                "needs --shards"
            )
        if self.shards is not None and is_there:
            raise ValueError(f"--images {self.images} is no clip: leave --shards away")


def check_face(face: str, vgg_face: Path | None) -> None:
    """ValueError where VGGFace's weights are given and another network is to judge."""
    if vgg_face is not None and face != AUTO:
        raise ValueError(f"--vgg-face {vgg_face}: --face {face} has no use for it")
