"""`ttk show`: a clip as a video, or as a contact sheet, with what was measured drawn in."""

from toolkit.preview.clip import find_clip_by_prefix
from toolkit.preview.render import render_clip, render_sheet

__all__ = ["find_clip_by_prefix", "render_clip", "render_sheet"]
