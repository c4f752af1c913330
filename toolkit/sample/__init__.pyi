from .options import SampleOptions
from .videos import (
    TRUTH,
    Script,
    describe_truth,
    draw_frames,
    make_head,
    make_samples,
    render_samples,
    write_script,
)

__all__ = [
    "TRUTH",
    "SampleOptions",
    "Script",
    "describe_truth",
    "draw_frames",
    "make_head",
    "make_samples",
    "render_samples",
    "write_script",
]
