"""AT-net of ATVGnet (Chen et al., CVPR 2019): sound and a face's landmarks to moving landmarks."""

from zoo.models.family import Family, Training

FAMILY = Family(
    name="at-net",
    summary="sound and the landmarks of a picture to landmarks that speak (ATVGnet)",
    presets=("paper", "small"),
    reads=("audio/pcm", "face/landmarks", "face/valid"),
    makes="landmarks",
    items="frames",
    create="zoo.models.at_net.networks:create_at_net",
    train="zoo.models.at_net.recipe:train_at_net",
    open="zoo.models.at_net.model:open_at_net",
    training=Training(
        options="zoo.models.at_net.options:AtNetRecipe",
        help="""Train sound to landmarks on the part `train` of a dataset's split.

        best.pt is the epoch of the least distance of the lips' landmarks (LMD of aligned faces) on
        the part `val`; the log has it beside that of the clip's first face, still, of the mean
        face, and of ridge regression on the same windows.""",
        example="zoo train at-net --shards shards/ --out runs/at",
        next="zoo synthesize --system atvg --audio speech.wav --image face.png "
        "--at-net {out}/best.pt --vg-net runs/vg/best.pt --out out.mp4",
    ),
    commands=("zoo convert atvg-official", "zoo synthesize"),
)
