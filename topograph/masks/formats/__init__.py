"""Mask files: one format per file, found through the entry points `topograph.formats`."""
