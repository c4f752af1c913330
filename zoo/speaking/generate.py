"""Motion for a recording, or for scores of the released code, into a `motion.npz`."""

from pathlib import Path
from typing import Any

from zoo.data import find_clip
from zoo.models.registry import open_model
from zoo.motion.blink_rate import parse_blink_rate
from zoo.motion.motion_file import check_motion_place, save_motion
from zoo.motion.released import load_scores, save_released
from zoo.motion.speech import predict_scores
from zoo.speaking.options import GenerationSettings
from zoo.training.distributed import find_device


def generate(settings: GenerationSettings, out: Path) -> tuple[int, int]:
    """Write motion; returns its frames, and how many there are in a second.

    Raises:
        ToolkitError: no such checkpoint, clip or sound, or they do not fit together; or `out`
            cannot be written.
        ValueError: `out` does not end in `.npz`.
    """
    check_motion_place(out)
    model = open_model(settings.model, find_device(settings.device), makes="motion")
    options: dict[str, Any] = {
        "smooth": settings.smooth,
        "fade": not settings.no_fade,
        "map_head": not settings.no_head_map,
        "blink_rate": parse_blink_rate(settings.blink_rate),
    }
    if settings.scores is not None:
        motion = model.generate(load_scores(settings.scores, model.contract), **options)
        save_released(out, motion, model.contract, settings.pose_like)
    else:
        assert settings.audio is not None  # the settings say so
        options["identity"] = settings.identity
        if settings.initial is not None and settings.shards is not None:
            features = model.contract.speech_features
            options["initial"] = find_clip(settings.shards, settings.initial, features)
        scores = predict_scores(settings.audio, model.contract, settings.weights)
        motion = model.generate(scores, **options)
        save_motion(out, motion, model.contract.fps)
    return len(motion), model.contract.fps
