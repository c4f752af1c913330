"""StyleHEAT (Yin et al., ECCV 2022): a generator's features, warped by motion and by sound.

Its stages are families of their own, trained one upon the other.
"""

from zoo.models.family import Family, Training

_PRESETS = ("small", "paper")

_READS = (
    "video/jpeg", "audio/pcm", "face/landmarks", "face/expression", "face/model_pose", "face/valid"
)  # fmt: skip

VIDEO_FAMILY = Family(
    name="styleheat-video",
    summary="motion and one picture of anyone to a flow of features (StyleHEAT, stage 1a)",
    presets=_PRESETS,
    reads=_READS,
    makes="reenactments",
    items="frames",
    create="zoo.models.styleheat.motion:create_video_motion",
    train="zoo.models.styleheat.video:train_video",
    open="zoo.models.styleheat.model:open_styleheat",
    training=Training(
        options="zoo.models.styleheat.options:VideoOptions",
        help="""Train the network that moves a face as coefficients of another video say.

        It learns from the part `train` of the split; best.pt is the epoch of the lowest absolute
        error on the part `val`, beside which the log has that of the source picture. The shards
        need face crops.""",
        example="zoo train styleheat-video --shards shards/ --prior runs/prior/best.pt "
        "--out runs/video",
        next="zoo train styleheat-audio --shards {shards} --video {out}/best.pt "
        "--syncnet runs/sync/best.pt --out {out}-audio",
    ),
)

AUDIO_FAMILY = Family(
    name="styleheat-audio",
    summary="sound and one picture of anyone to a flow of features (StyleHEAT, stage 1b)",
    presets=_PRESETS,
    reads=_READS,
    makes="reenactments",
    items="frames",
    create="zoo.models.styleheat.motion:create_audio_motion",
    train="zoo.models.styleheat.audio:train_audio",
    open="zoo.models.styleheat.model:open_styleheat",
    training=Training(
        options="zoo.models.styleheat.options:AudioOptions",
        help="""Train the network that moves lips by sound, on what styleheat-video makes.

        best.pt is the epoch of the lowest absolute error in the mouth's box on the part `val`,
        beside which the log has that of lips which are not moved.""",
        example="zoo train styleheat-audio --shards shards/ --video runs/video/best.pt "
        "--syncnet runs/sync/best.pt --out runs/audio",
        next="zoo train styleheat-calibration --shards {shards} --video {video} "
        "--out {out}-calibration",
    ),
)

CALIBRATION_FAMILY = Family(
    name="styleheat-calibration",
    summary="warped features to mended ones: a talking face (StyleHEAT, stages 2a and 2b)",
    presets=_PRESETS,
    reads=_READS,
    makes="reenactments",
    items="frames",
    create="zoo.models.styleheat.calibration:create_calibration",
    train="zoo.models.styleheat.joint:train_calibration",
    open="zoo.models.styleheat.model:open_styleheat",
    training=Training(
        options="zoo.models.styleheat.options:CalibrationOptions",
        help="""Train the network that mends what a flow has moved, with what makes the flow.

        With the video generator first (stage 2a), then with the audio generator (2b). best.pt is
        the epoch of the lowest absolute error on the part `val`, with sound in the mouth's box.""",
        example="zoo train styleheat-calibration --shards shards/ --video runs/video/best.pt "
        "--out runs/calibration",
        next="zoo synthesize --system styleheat --video driver.mp4 --image face.png "
        "--model {out}/best.pt --out out.mp4",
    ),
    commands=("zoo synthesize",),
)

FAMILIES = (AUDIO_FAMILY, CALIBRATION_FAMILY, VIDEO_FAMILY)
