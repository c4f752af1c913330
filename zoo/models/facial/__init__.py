"""FACIAL-GAN (Zhang et al., ICCV 2021): from speech to expression, head pose and blinks.

The paper is arXiv:2108.07938; Tables 1 and 2 are in its supplement.
"""

from zoo.models.family import Family, Training

FAMILY = Family(
    name="facial-gan",
    summary="speech features to motion: expression, head pose and blinks (FACIAL, 3.2)",
    presets=("paper", "small", "official"),
    reads=(
        "audio/deepspeech",
        "audio/whisper",
        "face/expression",
        "face/pose",
        "face/au45",
        "face/valid",
    ),
    makes="motion",
    items="windows",
    create="zoo.models.facial.model:create_facial_gan",
    train="zoo.models.facial.recipe:train_facial",
    open="zoo.models.facial.model:open_facial_gan",
    training=Training(
        options="zoo.models.facial.options:FacialRecipe",
        help="""Train speech to motion on the part `train` of a dataset's split.

        best.pt is the epoch of the lowest expression error plus velocity-spectrum distance on the
        part `val`. Several processes: torchrun --nproc-per-node 2 -m zoo train facial-gan …""",
        example="zoo train facial-gan --shards shards/ --out runs/facial",
        next="zoo generate --model {out}/best.pt --audio speech.wav --out motion.npz",
    ),
    finetuning=Training(
        options="zoo.models.facial.options:FinetuneRecipe",
        help="""Go on training a model with the clips of one identity.

        With --holdout 0.2 all its clips are taken, but for the last fifth of its source time, by
        which the best epoch is chosen; else its clips of the parts `train` and `val`.""",
        example="zoo finetune facial-gan --base runs/facial/best.pt --shards shards/ "
        "--identity NAME --out runs/NAME",
        next="zoo train renderer --shards {shards} --identity {identity} --out {out}-renderer",
    ),
    commands=(
        "zoo convert facial-official",
        "zoo evaluate motion",
        "zoo generate",
        "zoo synthesize",
        "zoo personalize",
    ),
)
