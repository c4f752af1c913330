"""The acoustic model that makes speech features, under training."""
