"""`build_masks`: masks made for the layers of a model or a file, by a construction. `MaskSet.build` is its face."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from topograph.checks import (
    Seed,
    check_at_most_one,
    check_choice,
    check_density,
    check_generator,
    check_integer,
    check_real,
)
from topograph.constructions import Construction, construct, get_construction
from topograph.constructions.allocation import ALLOCATIONS, share_edges
from topograph.constructions.rows import near_equal
from topograph.errors import InvalidParameterError, TopographError, UnknownNameError
from topograph.graph import BipartiteGraph
from topograph.masks.groups import join_groups
from topograph.masks.loading import open_source
from topograph.masks.maskable import MaskableLayer, find_layers
from topograph.masks.maskset import MaskSet, nothing_read
from topograph.masks.options import Reading

Allocation = str | Callable[[MaskableLayer], float]
"""How edges are shared: a name, or a function of a layer that gives a positive weight."""


def maskable_layers(
    model: Any, include: str | Iterable[str] | None = None, exclude: str | Iterable[str] | None = None
) -> tuple[list[MaskableLayer], dict[str, str]]:
    """The layers of a model or a file that can hold a mask, and name → reason for all else.

    Raises
    ------
    InvalidMaskError
        When there is none, or the source is broken.

    Examples
    --------
    >>> layers, left_out = maskable_layers({"fc.weight": np.zeros((5, 3)), "fc.bias": np.zeros(3)})
    >>> [(layer.name, layer.n_left, layer.n_right) for layer in layers], list(left_out)
    ([('fc.weight', 5, 3)], ['fc.bias'])
    """
    reading = Reading(include=include, exclude=exclude)
    with open_source(model) as source:
        listed = list(find_layers(source, reading))
        label = source.label
    layers = [item for item in listed if isinstance(item, MaskableLayer)]
    left_out = dict(item for item in listed if not isinstance(item, MaskableLayer))
    if not layers:
        raise nothing_read(label, left_out)
    return layers, left_out


def build_masks(
    model: Any,
    construction: str | Construction | Mapping[str, str | Construction],
    *,
    density: float | None = None,
    sparsity: float | None = None,
    edges: int | None = None,
    densities: float | Sequence[float] | Mapping[str, float] | None = None,
    allocation: Allocation = "uniform",
    seed: Seed = 0,
    include: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] | None = None,
    keep_dense: str | Iterable[str] = (),
    **options: Any,
) -> MaskSet:
    """Make a mask for every layer of a model; see `MaskSet.build`."""
    check_at_most_one(density=density, sparsity=sparsity, edges=edges, densities=densities)
    generator = check_generator(seed)
    layers, left_out = maskable_layers(model, include, exclude)
    rules = _rules(construction, layers)
    needy = next((rule.name for rule in rules.values() if not rule.implied_degree), "")
    if density is sparsity is edges is densities is None and "degree" not in options and needy:
        raise InvalidParameterError(f"{needy} needs one of density=, sparsity=, edges= and densities=")
    dense = _dense_layers(keep_dense, layers)
    density = check_density(density, sparsity)
    wanted: dict[str, int | float | None]
    if density is not None or edges is not None:
        wanted = dict(allocate(layers, edges=edges, density=density, allocation=allocation, dense=dense))
    else:
        wanted = dict(_densities(densities, layers)) if densities is not None else {}
        wanted |= dict.fromkeys(dense, 1.0)
    graphs, read_as = {}, {}
    for layer, child in zip(layers, generator.spawn(len(layers)), strict=True):
        rule = rules[layer.name]
        kept_dense = layer.name in dense
        graph = _dense(layer) if kept_dense else _graph(layer, rule, wanted.get(layer.name), child, options)
        graphs[layer.name] = graph
        read_as[layer.name] = "; ".join(filter(None, [layer.words, "kept dense" if kept_dense else rule.name]))
    return MaskSet(graphs, left_out, read_as=read_as)


def allocate(
    layers: Sequence[MaskableLayer],
    *,
    edges: int | None = None,
    density: float | None = None,
    sparsity: float | None = None,
    allocation: Allocation = "uniform",
    dense: Iterable[str] = (),
) -> dict[str, int]:
    """Layer name → number of edges, for a number of edges of the whole model, met exactly.

    Parameters
    ----------
    layers
        See `maskable_layers`.
    edges, density, sparsity
        Of all the layers together, those kept dense among them; ``sparsity`` is 1 − ``density``.
    allocation
        ``"uniform"``, ``"er"``, ``"erk"``, ``"balanced"``, ``"degree"``, or a function of a `MaskableLayer` that gives
        a positive weight: the edges of a layer are in proportion to it. A convolution counts as its tensor: for
        ``"erk"`` c_in / groups + c_out + the sizes of the kernel. Experts count as layers of their own.
    dense
        Names of the layers that keep all their edges.

    Raises
    ------
    InvalidParameterError
        When there are too few or too many edges for the layers; the message says how many there can be.

    Examples
    --------
    >>> layers, _ = maskable_layers({"a": np.zeros((784, 300)), "b": np.zeros((300, 10))})
    >>> allocate(layers, edges=24000, allocation="er")
    {'a': 21000, 'b': 3000}
    """
    if not callable(allocation):
        check_choice("allocation", allocation, ALLOCATIONS)
    check_at_most_one(edges=edges, density=density, sparsity=sparsity)
    density = check_density(density, sparsity)
    rooms = {layer.name: layer.room for layer in layers}
    total = sum(rooms.values())
    if density is not None:
        edges = round(density * total)
        given = f"density={density:g} is {edges} of {total} edges"
    else:
        edges = check_integer("edges", edges, low=1)
        given = f"edges={edges}"
    kept = {name: rooms[name] for name in dense}
    sparse = [layer for layer in layers if layer.name not in kept]
    low = sum(kept.values()) + len(sparse)
    high = total if sparse else low
    if not low <= edges <= total or (not sparse and edges != total):
        because = f": {', '.join(kept)} kept dense need {sum(kept.values())}" if kept else ""
        raise InvalidParameterError(
            f"{given}, but the {len(layers)} layers can have {low} to {high}{because}, and each other at least 1"
        )
    counts = dict(kept)
    if sparse:
        weights = [_weight(layer, allocation) for layer in sparse]
        shares = share_edges(weights, [layer.room for layer in sparse], edges - sum(kept.values()))
        counts |= dict(zip((layer.name for layer in sparse), shares, strict=True))
    return {layer.name: counts[layer.name] for layer in layers}


def _weight(layer: MaskableLayer, allocation: Allocation) -> float:
    if callable(allocation):
        weight = allocation(layer)
        return check_real(f"the weight that allocation gives {layer.name}", weight, low=0, include_low=False)
    copies = layer.groups if layer.is_batch else 1
    n, m = layer.n_left // copies, layer.n_right // copies
    if allocation == "uniform":
        return layer.room
    if allocation == "balanced":
        return 1.0
    if allocation == "erk" and layer.kernel and not layer.is_batch:  # the tensor has the inputs of one group only
        return layer.inputs + layer.n_right + sum(layer.kernel)
    return copies * ALLOCATIONS[allocation](n, m, None)


def _graph(
    layer: MaskableLayer, rule: Construction, wanted: int | float | None, generator: np.random.Generator, options: Any
) -> BipartiteGraph:
    """One layer's graph, of ``wanted`` edges (a whole number), of a density, or of what the options imply."""
    if isinstance(wanted, float) and rule.sized_by in ("rows", "total"):
        wanted = max(1, round(wanted * layer.room))
    n, m = layer.inputs * layer.taps, layer.outputs
    counts: list[int | None] = [None] * layer.groups
    if isinstance(wanted, int):
        counts = list(near_equal(wanted, layer.groups, generator if layer.groups > 1 else None).tolist())
    if isinstance(wanted, int) and rule.sized_by == "expected":
        raise InvalidParameterError(
            f"layer {layer.name}: {rule.name} has a random number of edges; give its expectation as densities=, or use "
            "erdos_renyi for an exact number"
        )
    try:
        pieces = [
            _piece(n, m, rule, count, wanted, child, options)
            for count, child in zip(counts, generator.spawn(layer.groups), strict=True)
        ]
    except TopographError as error:
        groups = f"{layer.groups} groups of " if layer.groups > 1 else ""
        raise InvalidParameterError(f"layer {layer.name} ({groups}{n} × {m}): {error}") from error
    return join_groups(pieces)


def _piece(
    n: int,
    m: int,
    rule: Construction,
    count: int | None,
    wanted: float | None,
    child: np.random.Generator,
    options: Any,
) -> BipartiteGraph:
    if count == 0:
        return BipartiteGraph(n, m, np.zeros(n + 1, dtype=np.int32), np.empty(0, dtype=np.int32))
    if count is not None:
        return construct(rule, n, m, edges=count, seed=child, **options)
    return construct(rule, n, m, density=wanted, seed=child, **options)


def _dense(layer: MaskableLayer) -> BipartiteGraph:
    full = construct("dense", layer.inputs * layer.taps, layer.outputs)
    return join_groups([full] * layer.groups)


def _rules(construction: Any, layers: Sequence[MaskableLayer]) -> dict[str, Construction]:
    if not isinstance(construction, Mapping):
        rule = get_construction(construction)
        return {layer.name: rule for layer in layers}
    table = {glob: get_construction(name) for glob, name in construction.items()}
    return {layer.name: _by_glob("construction", table, layer.name, layers) for layer in layers}


def _densities(densities: Any, layers: Sequence[MaskableLayer]) -> dict[str, float]:
    if isinstance(densities, Mapping):
        values = [_by_glob("densities", densities, layer.name, layers) for layer in layers]
    elif np.ndim(densities) == 0:
        values = [densities] * len(layers)
    else:
        values = list(densities)
    if len(values) != len(layers):
        names = ", ".join(layer.name for layer in layers)
        raise InvalidParameterError(f"densities has {len(values)} numbers, but there are {len(layers)} layers: {names}")
    return {
        layer.name: check_real(f"the density of {layer.name}", value, low=0, high=1, include_low=False)
        for layer, value in zip(layers, values, strict=True)
    }


def _by_glob(what: str, table: Mapping[str, Any], name: str, layers: Sequence[MaskableLayer]) -> Any:
    """What a table of globs gives a layer: the first that matches; a glob that matches no layer is a slip."""
    for glob in table:
        if not any(fnmatch.fnmatchcase(layer.name, glob) for layer in layers):
            raise UnknownNameError.among(f"layer in {what}", glob, (layer.name for layer in layers))
    for glob, value in table.items():
        if fnmatch.fnmatchcase(name, glob):
            return value
    raise InvalidParameterError(f"{what} says nothing of the layer {name}; add it, or '*' for all that are not named")


def _dense_layers(keep_dense: str | Iterable[str], layers: Sequence[MaskableLayer]) -> list[str]:
    """Names of the layers that keep all edges: ``"first"`` and ``"last"`` weight, or those that globs name."""
    globs = (keep_dense,) if isinstance(keep_dense, str) else tuple(keep_dense)
    ends = {"first": layers[0].weight, "last": layers[-1].weight}
    chosen: set[str] = set()
    for glob in globs:
        matches = {
            layer.name
            for layer in layers
            if (layer.weight == ends[glob] if glob in ends else fnmatch.fnmatchcase(layer.name, str(glob)))
        }
        if not matches:
            raise UnknownNameError.among("layer in keep_dense", glob, ["first", "last", *(one.name for one in layers)])
        chosen |= matches
    return [layer.name for layer in layers if layer.name in chosen]
