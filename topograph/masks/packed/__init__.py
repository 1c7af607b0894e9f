"""Packed storage of weights, a file per family: several numbers in one, or values beside a bitmask."""

from topograph.masks.packed.bits import unpacked_floats
from topograph.masks.packed.unpacking import Unpacked, may_be_packed, unpack

__all__ = ["Unpacked", "may_be_packed", "unpack", "unpacked_floats"]
