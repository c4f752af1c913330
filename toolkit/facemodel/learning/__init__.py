"""How the embedded face model was made, from shards."""
