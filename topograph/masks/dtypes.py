"""Number formats that NumPy does not know: bfloat16 and the 8-bit floats."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

PLAIN = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|u1",
}  # fmt: skip
"""The formats that NumPy knows, as little-endian types."""
_EIGHT_BITS = {  # bits of the exponent, its bias, and the codes (without sign) that are not numbers
    "F8_E4M3": (4, 7, (0x7F,)),
    "F8_E4M3FNUZ": (4, 8, ()),
    "F8_E5M2": (5, 15, (0x7C, 0x7D, 0x7E, 0x7F)),
    "F8_E5M2FNUZ": (5, 16, ()),
}
_OTHER = {"BF16": "<u2", "F8_E8M0": "|u1", **dict.fromkeys(_EIGHT_BITS, "|u1")}


KNOWN = frozenset(PLAIN) | frozenset(_OTHER)
"""The formats that can be read, by the names that safetensors gives them."""


@cache
def raw_dtype(name: str) -> np.dtype[Any]:
    """The NumPy type of the same size that holds values of a format in `KNOWN`."""
    return np.dtype(PLAIN.get(name) or _OTHER[name])


def decode(raw: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Raw values of a named format as numbers; 16- and 8-bit floats become float32, exactly.

    Examples
    --------
    >>> decode(np.array([0x3F80, 0xC000], dtype=np.uint16), "BF16").tolist()
    [1.0, -2.0]
    >>> decode(np.array([0x38, 0xC0], dtype=np.uint8), "F8_E4M3").tolist()
    [1.0, -2.0]
    """
    if name == "BF16":
        return np.asarray(np.left_shift(raw, 16, dtype=np.uint32).view(np.float32))
    if name == "F8_E8M0" or name in _EIGHT_BITS:
        return np.asarray(_eight_bits(name)[raw])
    return raw.view(np.bool_) if name == "BOOL" and (raw <= 1).all() else raw


@cache
def _eight_bits(name: str) -> npt.NDArray[np.float32]:
    """The 256 values of an 8-bit float."""
    codes = np.arange(256)
    if name == "F8_E8M0":  # powers of two, for scales
        powers = 2.0 ** (codes - 127.0)
        powers[255] = np.nan
        return powers.astype(np.float32)
    n_bits, bias, special = _EIGHT_BITS[name]
    fraction = 7 - n_bits
    exponent, mantissa = (codes & 0x7F) >> fraction, (codes & ((1 << fraction) - 1)) / 2.0**fraction
    magnitude = np.where(exponent == 0, mantissa * 2.0 ** (1 - bias), (1 + mantissa) * 2.0 ** (exponent - float(bias)))
    values = np.where(codes & 0x80, -1.0, 1.0) * magnitude
    for code in special:
        values[[code, code | 0x80]] = np.nan
    if name == "F8_E5M2":  # the only one of these with infinities
        values[[0x7C, 0xFC]] = np.inf, -np.inf
    if name.endswith("FNUZ"):  # no negative zero: its code is the only NaN
        values[0x80] = np.nan
    return values.astype(np.float32)
