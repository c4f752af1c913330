from .dataset.blink_stats import describe_blinks
from .dataset.manifest import read_table
from .dataset.options import SplitOptions
from .dataset.shard import ShardReader
from .dataset.split import split_dataset
from .dataset.stats import compute_stats, yield_funnel
from .dataset.torch_windows import torch_dataset
from .dataset.validate import validate_dataset
from .dataset.windows import WindowReader
from .errors import ToolkitError
from .features.blink import find_blinks
from .ingest.options import IngestOptions
from .preview import render_clip
from .sample import SampleOptions, make_samples

__version__: str

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
    "torch_dataset",
    "validate_dataset",
    "yield_funnel",
]
