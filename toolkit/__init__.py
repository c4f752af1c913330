"""Raw talking-head videos in, training shards out."""

__version__ = "0.1.0"
