"""Rendered faces: pictures of the face model that lie on a clip's stored frames pixel for pixel.

FACIAL (Zhang et al., ICCV 2021, sections 3.3 and 3.4): what the rendering-to-video network sees.
Public names are loaded when first used: the options of commands need neither torch nor numba.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.rendering.camera import CropCamera
    from zoo.rendering.clips import RenderClip, load_render_clips
    from zoo.rendering.motion import PoseMap, smooth_motion
    from zoo.rendering.person import Person, fit_person
    from zoo.rendering.render import FaceRenderer
    from zoo.rendering.windows import RenderedWindows, paint_frames, place_window, stack_window

__all__ = [
    "CropCamera",
    "FaceRenderer",
    "Person",
    "PoseMap",
    "RenderClip",
    "RenderedWindows",
    "fit_person",
    "load_render_clips",
    "paint_frames",
    "place_window",
    "smooth_motion",
    "stack_window",
]

_MODULES = {
    "CropCamera": "camera",
    "FaceRenderer": "render",
    "Person": "person",
    "PoseMap": "motion",
    "RenderClip": "clips",
    "RenderedWindows": "windows",
    "fit_person": "person",
    "load_render_clips": "clips",
    "paint_frames": "windows",
    "place_window": "windows",
    "smooth_motion": "motion",
    "stack_window": "windows",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"zoo.rendering.{_MODULES[name]}"), name)
