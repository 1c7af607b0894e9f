"""Doors for masks kept in files."""

from topograph.masks.files import load
from topograph.masks.maskset import MaskSet

__all__ = ["MaskSet", "load"]
