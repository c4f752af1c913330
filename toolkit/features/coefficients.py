"""3DMM coefficients on the embedded face model: a linear fit to the face mesh and its colours.

One identity and one texture per clip, one pose, expression and light per frame, in standard
deviations of the model's bases (`toolkit.facemodel.fit`, `toolkit.facemodel.albedo`). Blinks are
not in the expression: `face/au45` has them.
"""

import numpy as np

from toolkit.facemodel import albedo, align, fit
from toolkit.facemodel.albedo import fit_colors
from toolkit.facemodel.fit import make_fitter
from toolkit.facemodel.model import DEFAULT_PATH, load_default
from toolkit.features.base import Arrays, Extractor
from toolkit.schema import ClipInput, Provenance
from toolkit.storage import hash_file


class FaceModelCoefficients(Extractor):
    """Identity, texture, expression, light and pose by ridge least squares."""

    arrays = (
        "clips/identity_coefficients",
        "clips/texture_coefficients",
        "face/expression",
        "face/illumination",
        "face/model_pose",
    )
    constants = (
        *(align.STEPS, fit.DEPTH_STEP, fit.POSE_DEPTH, fit.DEPTH_WEIGHT, fit.NOISE, fit.HABIT),
        *(fit.IDENTITY_FRAMES, fit.IDENTITY_ROUNDS, fit.MAX_YAW),
        *(albedo.COLOR_NOISE, albedo.LIGHT_SD, albedo.ROUNDS, albedo.TEXTURE_FRAMES),
    )

    def __init__(self) -> None:
        self._fitter = make_fitter(load_default())

    def provenance(self) -> Provenance:
        """The face model's digest."""
        return Provenance(backend="embedded", version="1", weights_sha256=hash_file(DEFAULT_PATH))

    def extract(self, clip: ClipInput) -> Arrays:
        """The five arrays of `arrays`, float32.

        Raises:
            ValueError: `clip.colors` is not filled, or not one row of 468 colours a frame.
        """
        if clip.colors is None:
            raise ValueError(f"clip {clip.clip_id} has no colours: fill ClipInput.colors first")
        shape = self._fitter.fit(clip.load_landmarks(), clip.intrinsics)
        color = fit_colors(self._fitter.model, clip.colors, shape.shape, shape.pose)
        found = {
            "clips/identity_coefficients": shape.identity,
            "clips/texture_coefficients": color.texture,
            "face/expression": shape.expression,
            "face/illumination": color.illumination,
            "face/model_pose": shape.pose,
        }
        return {name: values.astype(np.float32) for name, values in found.items()}
