"""A generator of aligned faces and what inverts pictures into it: StyleHEAT's prior."""

from zoo.models.family import Family, Training

FAMILY = Family(
    name="styleheat-prior",
    summary="a picture of anyone to w+ and F of a StyleGAN2, and back (Yin et al., StyleHEAT)",
    presets=("small", "paper"),
    reads=("video/jpeg", "face/landmarks", "face/valid"),
    makes="priors",
    items="pictures",
    create="zoo.models.styleheat_prior.networks:create_prior",
    train="zoo.models.styleheat_prior.recipe:train_prior",
    open="zoo.stylegan.prior:open_prior",
    training=Training(
        options="zoo.models.styleheat_prior.options:PriorRecipe",
        help="""Train a generator of aligned faces with the encoders that invert pictures into it.

        It learns from the part `train` of the split to draw every picture again, and to draw faces
        of noise; best.pt is the epoch of the lowest absolute error on the part `val`. The shards
        need face crops. Not needed with published weights: zoo convert styleheat-prior.""",
        example="zoo train styleheat-prior --shards shards/ --out runs/prior",
        next="zoo edit directions --prior {out}/best.pt --shards {shards} --out directions.pt",
    ),
    commands=("zoo convert styleheat-prior", "zoo edit directions", "zoo edit layers"),
)
