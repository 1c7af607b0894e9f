"""Doors for masks kept in files and models: formats and live models come as entry points."""

from topograph.masks.building import allocate, maskable_layers
from topograph.masks.formats.format import Format
from topograph.masks.formats.registry import available_formats, describe_formats
from topograph.masks.geometry import Geometry
from topograph.masks.live import ModelKind
from topograph.masks.loading import load
from topograph.masks.maskable import MaskableLayer
from topograph.masks.maskset import MaskSet
from topograph.masks.options import Reading
from topograph.masks.torch.masking import plain_state_dict
from topograph.masks.writing import save

__all__ = [
    "Format",
    "Geometry",
    "MaskSet",
    "MaskableLayer",
    "ModelKind",
    "Reading",
    "allocate",
    "available_formats",
    "describe_formats",
    "load",
    "maskable_layers",
    "plain_state_dict",
    "save",
]
