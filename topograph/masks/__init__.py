"""Doors for masks kept in files and models: one format a file, one `Reader` behind them all."""

from topograph.masks.geometry import Geometry
from topograph.masks.loading import load
from topograph.masks.maskset import MaskSet
from topograph.masks.options import Reading
from topograph.masks.writing import save

__all__ = ["Geometry", "MaskSet", "Reading", "load", "save"]
