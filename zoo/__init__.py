"""Models that train straight from the toolkit's shards."""
