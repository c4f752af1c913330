"""The blink generator of Das et al. (ECCV 2020, 3.2): from noise to eyes that blink."""

from zoo.models.family import Family, Training

FAMILY = Family(
    name="blink-gan",
    summary="noise to blinks: displacements of the eyes' and brows' landmarks (Das et al., 3.2)",
    presets=("paper", "small"),
    reads=("face/landmarks", "face/valid", "face/ear"),
    makes="eyes",
    items="windows",
    create="zoo.models.blink_gan.networks:create_blink_gan",
    train="zoo.models.blink_gan.recipe:train_blink_gan",
    open="zoo.models.blink_gan.model:open_blink_gan",
    training=Training(
        options="zoo.models.blink_gan.options:BlinkRecipe",
        help="""Train a generator of blinks on the part `train` of a dataset's split.

        It sees windows of 3 s, 75 frames at 25 a second whatever the dataset's clock. best.pt is
        the epoch whose windows are nearest to those of the part `val`, by the maximum mean
        discrepancy. How often the eyes close later is chosen when the model is used.""",
        example="zoo train blink-gan --shards shards/ --out runs/blink",
        next="zoo train t-gan --shards {shards} --out {out}-tgan",
    ),
    commands=("zoo synthesize",),
)
