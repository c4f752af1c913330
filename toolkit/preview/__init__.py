"""`ttk show`: a clip as a video, or as a contact sheet, with what was measured drawn in."""

from toolkit.preview.rejected import render_rejected
from toolkit.preview.render import render_clip, render_sheet

__all__ = ["render_clip", "render_rejected", "render_sheet"]
