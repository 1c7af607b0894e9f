"""Masks that pruning and rewiring find: whether the method explains the accuracy, or the graph."""

from analysis.found.found_masks import FoundMasks, found_masks, has_found_masks

__all__ = ["FoundMasks", "found_masks", "has_found_masks"]
