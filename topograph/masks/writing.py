"""`save`: masks out again, as our own ``.npz`` or as ``.safetensors``."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from topograph.checks import check_choice
from topograph.errors import InvalidParameterError
from topograph.files import whole
from topograph.masks.formats.mask_set_file import archive_of_masks, write_safetensors
from topograph.masks.layout import IN_OUT, OUT_IN
from topograph.masks.maskset import MaskSet
from topograph.topology import Topology


def save(masks: MaskSet | Topology, path: str | os.PathLike[str], *, orientation: str = IN_OUT) -> Path:
    """Write masks to a file that appears whole or not at all; returns the path.

    Parameters
    ----------
    masks
        A `MaskSet`, or a `Topology` whose layers are named ``l1``, ``l2``, ….
    path
        Ending in ``.npz`` (edges, names, reasons, order: exact) or ``.safetensors`` (one dense 0/1 tensor per layer).
    orientation
        For safetensors: ``"in_out"``, or ``"out_in"`` as PyTorch lays its weights. The file says which.

    Raises
    ------
    InvalidParameterError
        When the file's ending or the orientation is another.

    Examples
    --------
    >>> import tempfile
    >>> from topograph.masks import load
    >>> path = save(Topology.build("dense", [3, 2]), Path(tempfile.mkdtemp(), "t.safetensors"))
    >>> load(path)
    MaskSet(l1: 3 × 2)
    """
    check_choice("orientation", orientation, [IN_OUT, OUT_IN])
    target = Path(path)
    if target.suffix not in (".npz", ".safetensors"):
        raise InvalidParameterError(f"masks are saved as .npz or .safetensors, but got {target}")
    if target.suffix == ".npz" and isinstance(masks, Topology):
        return masks.save(target)
    mask_set = MaskSet.from_topology(masks) if isinstance(masks, Topology) else masks
    with whole(target) as file:
        if target.suffix == ".npz":
            np.savez_compressed(file, **archive_of_masks(mask_set))
        else:
            write_safetensors(file, mask_set, orientation)
    return target
