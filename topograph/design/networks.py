"""Whole networks whose layers are made for one another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from topograph.checks import check_integer
from topograph.constructions import construct
from topograph.errors import InvalidParameterError
from topograph.topology import Topology


def radix_net(radices: Sequence[int], widths: Sequence[int] | None = None) -> Topology:
    """A RadiX-Net: every input reaches every output by the same number of paths.

    Layer l joins each node to ``radices[l]`` nodes at distances that are multiples of the product of the radices before
    it, modulo the product N′ of all; ``widths`` makes ``widths[l]`` copies of the N′ nodes of a layer, densely joined.
    Between any two nodes at the two ends run Π widths[1:-1] paths.

    Parameters
    ----------
    radices
        One whole number of at least 2 for each layer.
    widths
        Copies of each layer of neurons, one more than radices; 1 by default.

    References
    ----------
    * Robinett & Kepner (2019), RadiX-Net: Structured Sparse Matrices for Deep Neural Networks.

    Examples
    --------
    >>> radix_net([2, 3, 4])
    Topology(24-24-24-24, 216 edges, density 12.5 %)
    >>> radix_net([2, 2], widths=[3, 2, 1]).sizes
    (12, 8, 4)
    """
    radices = [check_integer("radix", radix, low=2) for radix in radices]
    widths = [1] * (len(radices) + 1) if widths is None else [check_integer("width", w, low=1) for w in widths]
    if not radices or len(widths) != len(radices) + 1:
        raise InvalidParameterError(f"{len(radices)} radices need {len(radices) + 1} widths, but got {len(widths)}")
    base = math.prod(radices)
    strides = [math.prod(radices[:layer]) for layer in range(len(radices))]
    return Topology(
        construct("radix_net", left * base, right * base, degree=radix * right, base=base, stride=stride)
        for (left, right), radix, stride in zip(itertools.pairwise(widths), radices, strides, strict=True)
    )


def butterfly_net(radix: int, stages: int) -> Topology:
    """All stages of a butterfly on radix^stages nodes: exactly one path from every input to every output.

    References
    ----------
    * Cooley & Tukey (1965), An algorithm for the machine calculation of complex Fourier series.

    Examples
    --------
    >>> butterfly_net(2, 4)
    Topology(16-16-16-16-16, 128 edges, density 12.5 %)
    """
    radix, stages = check_integer("radix", radix, low=2), check_integer("stages", stages, low=1)
    nodes = radix**stages
    return Topology(construct("butterfly", nodes, nodes, degree=radix, stage=stage) for stage in range(stages))
