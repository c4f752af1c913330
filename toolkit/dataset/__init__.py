"""A dataset on disk: shards, manifest, split, statistics, checks."""
