"""Talking-head videos whose truth is known, made from one public-domain portrait."""

from toolkit.sample.videos import (
    TRUTH,
    SampleOptions,
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
