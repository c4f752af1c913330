"""Landmarks and a few pictures to a person's face: the texture GAN of Das et al. (ECCV 2020)."""

from zoo.models.family import Family, Training

FAMILY = Family(
    name="t-gan",
    summary="landmarks and a few pictures of anyone to their face (Das et al., 3.4 and 4.3)",
    presets=("small", "paper"),
    reads=("video/jpeg", "face/landmarks", "face/valid"),
    makes="faces",
    items="people",
    create="zoo.models.t_gan.networks:create_generator",
    train="zoo.models.t_gan.recipe:train_t_gan",
    open="zoo.models.t_gan.model:open_t_gan",
    training=Training(
        options="zoo.models.t_gan.options:TGanRecipe",
        help="""Train the network that draws faces, so that twenty pictures of a stranger suffice.

        It learns from the part `train` of the split, a person a step; best.pt is the epoch of the
        lowest absolute error on people of the part `val`, behind a few steps on their pictures:
        split by identity. The shards need face crops.""",
        example="zoo train t-gan --shards shards/ --out runs/tgan",
        next="zoo finetune t-gan --base {out}/best.pt --images FOLDER --out runs/me-tgan",
    ),
    finetuning=Training(
        options="zoo.models.t_gan.options:FinetuneRecipe",
        help="""Go on training with 20 pictures of one person, for 10 epochs.

        They come from a folder of pictures or a video of a stranger, in which faces are measured
        there and then, or from a clip. Those are taken that are sharp, look this way and differ
        most in their landmarks; best.pt is the epoch of the lowest absolute error on the others,
        or where there are none on themselves.""",
        example="zoo finetune t-gan --base runs/tgan/best.pt --images FOLDER --out runs/me-tgan",
        next="zoo synthesize --system cascaded --audio speech.wav --l-gan runs/lgan/best.pt "
        "--blink-gan runs/blink/best.pt --t-gan {out}/best.pt --out out.mp4",
    ),
    commands=("zoo synthesize",),
)
