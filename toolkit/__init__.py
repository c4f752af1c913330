"""Raw talking-head videos in, training shards out.

Names are imported when they are first asked for: `import toolkit` loads no library. The main job
is `from toolkit.ingest import ingest`: a module's own name cannot be given out here as well.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.blink_stats import describe_blinks
    from toolkit.errors import ToolkitError
    from toolkit.features.blink import find_blinks
    from toolkit.manifest import read_table
    from toolkit.options import IngestOptions
    from toolkit.preview import render_clip
    from toolkit.sample import SampleOptions, make_samples
    from toolkit.shard import ShardReader
    from toolkit.split import SplitOptions, split_dataset
    from toolkit.stats import compute_stats, yield_funnel
    from toolkit.validate import validate_dataset
    from toolkit.windows import WindowReader

__version__ = "0.1.0"

__all__ = [
    "IngestOptions",
    "SampleOptions",
    "ShardReader",
    "SplitOptions",
    "ToolkitError",
    "WindowReader",
    "compute_stats",
    "describe_blinks",
    "find_blinks",
    "make_samples",
    "read_table",
    "render_clip",
    "split_dataset",
    "validate_dataset",
    "yield_funnel",
]

_MODULES = {
    "IngestOptions": "options",
    "SampleOptions": "sample",
    "ShardReader": "shard",
    "SplitOptions": "split",
    "ToolkitError": "errors",
    "WindowReader": "windows",
    "compute_stats": "stats",
    "describe_blinks": "blink_stats",
    "find_blinks": "features.blink",
    "make_samples": "sample",
    "read_table": "manifest",
    "render_clip": "preview",
    "split_dataset": "split",
    "validate_dataset": "validate",
    "yield_funnel": "stats",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
