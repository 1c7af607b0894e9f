"""The models, one per file, found by being there."""
