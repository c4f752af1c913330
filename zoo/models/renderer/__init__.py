"""From rendered faces to photographs: the rendering-to-video network and its training.

FACIAL (Zhang et al., ICCV 2021, section 3.4).
"""

from zoo.models.family import Family, Training

FAMILY = Family(
    name="renderer",
    summary="motion to one person's video, by way of their rendered face (FACIAL, 3.3 and 3.4)",
    presets=("paper", "small", "official"),
    reads=(
        "video/jpeg",
        "clips/identity_coefficients",
        "clips/texture_coefficients",
        "face/expression",
        "face/model_pose",
        "face/pose",
        "face/au45",
        "face/illumination",
        "face/valid",
    ),
    makes="frames",
    items="frames",
    create="zoo.models.renderer.networks:create_generator",
    train="zoo.models.renderer.recipe:train_renderer",
    open="zoo.models.renderer.model:open_renderer",
    training=Training(
        options="zoo.models.renderer.options:RendererRecipe",
        help="""Train the network that makes a person's video of their rendered face.

        best.pt is the epoch of the lowest absolute error on frames that are not trained on: those
        of --holdout, else of the person's clips in the part `val`. With --people it is a base of
        several people, which --base of other runs begins with. Several processes: torchrun
        --nproc-per-node 2 -m zoo train renderer …""",
        example="zoo train renderer --shards shards/ --identity NAME --out runs/NAME-renderer "
        "--holdout 0.2",
        next="zoo synthesize --audio speech.wav --identity {identity} --shards {shards} "
        "--motion-model runs/facial/best.pt --renderer {out}/best.pt --out out.mp4",
        next_of_several="zoo train renderer --base {out}/best.pt --shards shards/ --identity NAME "
        "--preset {preset} --holdout 0.2 --out runs/NAME-renderer",
    ),
    commands=("zoo reenact", "zoo synthesize", "zoo personalize", "zoo evaluate person"),
)
