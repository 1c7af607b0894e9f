"""`save`: masks out again, as our own ``.npz`` or as ``.safetensors``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from topograph.checks import check_choice
from topograph.errors import InvalidMaskError, InvalidParameterError
from topograph.files import whole
from topograph.graph import BipartiteGraph
from topograph.masks.layout import IN_OUT, OUT_IN
from topograph.masks.limits import check_nodes, parse_json
from topograph.masks.maskset import MaskSet
from topograph.topology import Topology

MASKS_FORMAT = "topograph masks 1"


def save(masks: MaskSet | Topology, path: str | os.PathLike[str], *, orientation: str = IN_OUT) -> Path:
    """Write masks to a file that appears whole or not at all; returns the path.

    Parameters
    ----------
    masks
        A `MaskSet`, or a `Topology` whose layers are named ``l1``, ``l2``, ….
    path
        Ending in ``.npz`` (edges, names, reasons and order: exact) or ``.safetensors`` (a dense 0/1 tensor a layer).
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
            np.savez_compressed(file, **_archive(mask_set))
        else:
            _write_safetensors(file, mask_set, orientation)
    return target


def masks_from_archive(member: Callable[[str], Any], file_bytes: int) -> MaskSet:
    """Read what `save` wrote as ``.npz``; ``member`` gives an array by name."""
    names = [str(name) for name in member("names")]
    about = parse_json(str(member("about")).encode(), "the member 'about'")
    graphs = {}
    for number, name in enumerate(names):
        n_left, n_right = (int(side) for side in member(f"shape_{number}"))
        check_nodes((n_left, n_right), file_bytes)
        graphs[name] = BipartiteGraph(n_left, n_right, member(f"indptr_{number}"), member(f"indices_{number}"))
    texts = [about.get("left_out", {}), about.get("read_as", {})]
    if not all(isinstance(text, dict) and all(isinstance(v, str) for v in text.values()) for text in texts):
        raise InvalidMaskError("the member 'about' must map names to texts")
    return MaskSet(graphs, texts[0], about.get("is_chain") is True, texts[1])


def _archive(masks: MaskSet) -> dict[str, Any]:
    about = {"left_out": dict(masks.left_out), "read_as": dict(masks.read_as), "is_chain": masks.is_chain}
    arrays: dict[str, Any] = {
        "format": np.array(MASKS_FORMAT),
        "names": np.array(list(masks), dtype=np.str_),
        "about": np.array(json.dumps(about)),
    }
    for number, graph in enumerate(masks.values()):
        arrays[f"shape_{number}"] = np.array(graph.shape)
        arrays[f"indptr_{number}"], arrays[f"indices_{number}"] = graph.indptr, graph.indices
    return arrays


def _write_safetensors(file: IO[bytes], masks: MaskSet, orientation: str) -> None:
    """Eight bytes of length, a JSON header, then the tensors, one after the other."""
    # safetensors keeps a JSON object of texts beside the tensors; our order and orientation live there
    about = {
        "format": "pt" if orientation == OUT_IN else "np",
        "topograph": MASKS_FORMAT,
        "orientation": orientation,
        "order": json.dumps(list(masks)),
        "is_chain": json.dumps(masks.is_chain),
    }
    header: dict[str, Any] = {"__metadata__": about}
    offset = 0
    for name, graph in masks.items():
        shape = graph.shape if orientation == IN_OUT else graph.shape[::-1]
        size = graph.n_left * graph.n_right
        header[name] = {"dtype": "BOOL", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for graph in masks.values():
        mask = graph.to_mask()
        file.write(np.ascontiguousarray(mask if orientation == IN_OUT else mask.T).tobytes())
