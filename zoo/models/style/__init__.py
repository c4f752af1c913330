"""Classifiers of personal style, by head pose and by blinks (FACIAL, supplement, section 3)."""

from zoo.models.family import Family, Training

FAMILY = Family(
    name="personalization",
    summary="motion to the identity whose style it has, by head pose and by blinks",
    presets=("paper",),
    reads=("face/pose", "face/au45"),
    makes="identities",
    items="windows",
    create="zoo.models.style.model:create_classifiers",
    train="zoo.models.style.recipe:train_personalization",
    open="zoo.models.style.model:open_classifiers",
    training=Training(
        options="zoo.models.style.options:PersonalizationRecipe",
        help="""Train classifiers that tell identities by how they move their head, and by their
        blinks.

        They learn from real motion of the part `train` of the split, and are chosen on `val`.""",
        example="zoo train personalization --shards shards/ --out runs/style",
        next="zoo evaluate motion --model runs/facial/best.pt --shards {shards} "
        "--classifiers {out}/best.pt",
    ),
    commands=("zoo evaluate motion",),
)
