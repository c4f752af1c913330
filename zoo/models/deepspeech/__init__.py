"""The acoustic model that makes speech features, under training."""

from zoo.models.family import Family, Training

FAMILY = Family(
    name="deepspeech",
    summary="sound to 29 character scores a frame, the speech features of everything else",
    presets=("small",),
    reads=(),
    makes="scores",
    items="s of sound",
    create="zoo.models.deepspeech.model:create_deepspeech",
    train="zoo.models.deepspeech.recipe:train_deepspeech",
    open="zoo.models.deepspeech.model:open_deepspeech",
    training=Training(
        options="zoo.models.deepspeech.options:DeepSpeechRecipe",
        help="""Train the acoustic model that makes speech features.

        Writes best.safetensors, for `zoo evaluate deepspeech` and `ttk transcribe --weights`,
        beside checkpoints, log.csv and TensorBoard's curves. The best epoch is the one of the
        lowest character error rate on rows of the split `train` whose sentences are not trained
        on. With --teacher a small network on Whisper's encoder is trained first, in the folder
        teacher of --out, and its probabilities are learnt beside the texts.""",
        example="zoo train deepspeech --speech speech/ --teacher package --out runs/deepspeech",
        next="zoo evaluate deepspeech --speech {speech} --weights {out}",
    ),
    commands=("zoo evaluate deepspeech", "zoo export deepspeech", "ttk ingest", "ttk transcribe"),
)
