"""One picture and landmarks to a talking face: VG-net of Chen et al. (CVPR 2019), ATVGnet."""

from zoo.models.family import Family, Training

FAMILY = Family(
    name="vg-net",
    summary="landmarks and one picture of anyone to their face (Chen et al., ATVGnet)",
    presets=("small", "paper"),
    reads=("video/jpeg", "face/landmarks", "face/valid"),
    makes="faces",
    items="frames",
    create="zoo.models.vg_net.networks:create_vg_net",
    train="zoo.models.vg_net.recipe:train_vg_net",
    open="zoo.models.vg_net.model:open_vg_net",
    training=Training(
        options="zoo.models.vg_net.options:VGNetRecipe",
        help="""Train the network that lets one picture of anyone move as landmarks do.

        It learns from the part `train` of the split, on measured landmarks; best.pt is the epoch of
        the lowest absolute error on the part `val`, beside which the log has that of the picture
        left as it is. The shards need face crops, of 25 or 30 frames a second.""",
        example="zoo train vg-net --shards shards/ --out runs/vg",
        next="zoo train at-net --shards {shards} --out {out}-at",
    ),
    commands=("zoo convert atvg-official", "zoo synthesize"),
)
"""`next`: where speech moves the landmarks, AT-net makes them."""
