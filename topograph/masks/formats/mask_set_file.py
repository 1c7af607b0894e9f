"""How our own mask sets lie in ``.npz`` and ``.safetensors`` files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from topograph.errors import InvalidMaskError
from topograph.graph import BipartiteGraph
from topograph.limits import check_nodes, parse_json
from topograph.masks.layout import IN_OUT, OUT_IN
from topograph.masks.maskset import MaskSet

MASKS_FORMAT = "topograph masks 1"
"""The mark of our own files; its number changes when an older version cannot read them."""


def archive_of_masks(masks: MaskSet) -> dict[str, Any]:
    """The arrays of an ``.npz`` file: edges, names, reasons and order."""
    about = {
        "left_out": dict(masks.left_out),
        "read_as": dict(masks.read_as),
        "is_chain": masks.is_chain,
        "labels": {
            name: [graph.left_labels, graph.right_labels]
            for name, graph in masks.items()
            if graph.left_labels is not None or graph.right_labels is not None
        },
    }
    arrays: dict[str, Any] = {
        "format": np.array(MASKS_FORMAT),
        "names": np.array(list(masks), dtype=np.str_),
        "about": np.array(json.dumps(about)),
    }
    for number, graph in enumerate(masks.values()):
        arrays[f"shape_{number}"] = np.array(graph.shape)
        arrays[f"indptr_{number}"], arrays[f"indices_{number}"] = graph.indptr, graph.indices
    return arrays


def masks_from_archive(member: Callable[[str], Any], file_bytes: int) -> MaskSet:
    """Read an ``.npz`` file written by `save`; ``member`` gives an array by name."""
    names = [str(name) for name in member("names")]
    about = parse_json(str(member("about")).encode(), "the member 'about'")
    labels = about.get("labels", {})
    if not isinstance(labels, dict) or not all(isinstance(v, list) and len(v) == 2 for v in labels.values()):
        raise InvalidMaskError("the labels in the member 'about' must map layers to those of inputs and of outputs")
    graphs = {}
    for number, name in enumerate(names):
        n_left, n_right = (int(side) for side in member(f"shape_{number}"))
        check_nodes((n_left, n_right), file_bytes)
        graph = BipartiteGraph(n_left, n_right, member(f"indptr_{number}"), member(f"indices_{number}"))
        graphs[name] = graph.labelled(*labels.get(name, (None, None)))
    texts = [about.get("left_out", {}), about.get("read_as", {})]
    if not all(isinstance(text, dict) and all(isinstance(v, str) for v in text.values()) for text in texts):
        raise InvalidMaskError("the member 'about' must map names to texts")
    return MaskSet(graphs, texts[0], about.get("is_chain") is True, texts[1])


def write_safetensors(file: IO[bytes], masks: MaskSet, orientation: str) -> None:
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
