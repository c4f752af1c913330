"""SyncNet: a judge of lip-sync (Chung and Zisserman, ACCV 2016 workshops)."""

from zoo.models.family import Family, Training

FAMILY = Family(
    name="syncnet",
    summary="five frames of a face and 0.2 s of sound to how far they are out of step",
    presets=("small", "published"),
    reads=("video/jpeg", "face/landmarks", "audio/pcm"),
    makes="distances",
    items="windows",
    create="zoo.models.syncnet.networks:create_syncnet",
    train="zoo.models.syncnet.recipe:train_syncnet",
    open="zoo.models.syncnet.model:open_syncnet",
    training=Training(
        options="zoo.models.syncnet.options:SyncNetRecipe",
        help="""Train a judge of lip-sync: which of several sounds belongs to five frames of lips.

        It learns from the part `train` of the split, where everyone counts by the root of how long
        they are seen, and is chosen on `val`: split by identity, so that it is chosen by people
        that it does not know. The shards need face crops.""",
        example="zoo train syncnet --shards shards/ --out runs/sync",
        next="zoo evaluate sync --judge {out}/best.pt --shards {shards} --split test",
    ),
    commands=("zoo evaluate sync", "zoo export syncnet"),
    opens_published=True,
)
