"""l-GAN of Das et al. (ECCV 2020): from speech to displacements of canonical landmarks.

The paper's code was never published; what it leaves open is said beside each choice.
"""

from zoo.models.family import Family, Training

FAMILY = Family(
    name="l-gan",
    summary="speech features to displacements of canonical landmarks (Das et al., 3.1)",
    presets=("paper", "small"),
    reads=("audio/deepspeech", "face/landmarks", "face/ear", "face/valid"),
    makes="landmarks",
    items="frames",
    create="zoo.models.l_gan.networks:create_l_gan",
    train="zoo.models.l_gan.recipe:train_l_gan",
    open="zoo.models.l_gan.model:open_l_gan",
    training=Training(
        options="zoo.models.l_gan.options:LGanRecipe",
        help="""Train speech to canonical landmarks on the part `train` of a dataset's split.

        best.pt is the epoch of the least distance of the lips' landmarks (LMD in canonical space)
        on the part `val`; the log has it beside that of a still face and of ridge regression on the
        same window.""",
        example="zoo train l-gan --shards shards/ --out runs/lgan",
        next="zoo train blink-gan --shards {shards} --out {out}-blink",
    ),
    commands=("zoo synthesize",),
)
"""`next`: the landmarks that it makes have no blinks of their own."""
