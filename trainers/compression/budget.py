"""What a compression makes of the layers of a topology, at the budgets that its edges give."""

from __future__ import annotations

import numpy as np

from topograph.errors import BudgetError, InvalidParameterError
from topograph.topology import Topology
from trainers.compression.compression import Compression, Floats, Form, get_compression, n_parameters
from trainers.config import TrainingConfig
from trainers.initialization import compression_generator, entry_variance


def compressed_parameters(topology: Topology, compression: str | Compression) -> tuple[int, ...]:
    """Number of weights that each layer really has after a compression: at most its edges; a dense layer keeps all.

    Raises
    ------
    BudgetError
        When a layer has fewer edges than the compression has parameters at least.

    Examples
    --------
    >>> topology = Topology.build(["random_regular", "dense"], [64, 30, 10], [6, 10], seed=0)
    >>> compressed_parameters(topology, "low_rank"), compressed_parameters(topology, "hashed")
    ((376, 300), (384, 300))
    """
    chosen = get_compression(compression) if isinstance(compression, str) else compression
    forms = [_form(topology, number, chosen, np.random.default_rng(0)) for number in range(len(topology))]
    return tuple(
        graph.n_edges if form is None else n_parameters(form) for graph, form in zip(topology, forms, strict=True)
    )


def compressed_layers(topology: Topology, config: TrainingConfig) -> list[tuple[Form, list[Floats]] | None]:
    """The form of each layer with its initial parameters, by ``config``; None for a layer that stays as it is.

    Every entry of a layer's matrix begins with mean 0 and the variance that a dense layer's weights have, whatever the
    form: hidden neurons begin with values as large as in the dense network, in every family. A sparse layer does so
    with ``config.fans = "degrees"``, which changes nothing for a matrix that has all pairs. The parameters are normal
    draws, whether ``config.initialization`` is ``"…_normal"`` or ``"…_uniform"``: products would be neither.

    Raises
    ------
    BudgetError
        When a layer has fewer edges than the compression has parameters at least.
    """
    layers: list[tuple[Form, list[Floats]] | None] = []
    for number, graph in enumerate(topology):
        generator = compression_generator(config, number)
        form = _form(topology, number, get_compression(config.compression), generator)
        variance = entry_variance(graph.n_left, graph.n_right, config)
        layers.append(None if form is None else (form, form.initial(variance, generator)))
    return layers


def written_out(topology: Topology) -> Topology:
    """The topology of a compressed network's matrices: all pairs of neurons of each layer.

    Examples
    --------
    >>> written_out(Topology.build("regular_rotating", [6, 4, 2], degrees=2)).n_edges
    32
    """
    return Topology([np.ones(graph.shape, dtype=bool) for graph in topology])


def _form(topology: Topology, number: int, compression: Compression, generator: np.random.Generator) -> Form | None:
    graph = topology[number]
    if graph.density == 1:
        return None
    try:
        return compression.build(graph.n_left, graph.n_right, graph.n_edges, seed=generator)
    except InvalidParameterError as error:
        raise BudgetError(f"layer {number + 1}, whose edges are its budget: {error}") from error
