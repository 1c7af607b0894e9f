"""Topologies made to order: nulls, a wanted connectivity at fixed degrees, the best expanders, whole networks."""

from topograph.design.bounds import ExpansionBound, expansion_bound
from topograph.design.networks import butterfly_net, radix_net
from topograph.design.null_comparison import compare_with_null
from topograph.design.optimizing import Optimum, optimize
from topograph.design.rewiring import Rewired, relabel, rewire

__all__ = [
    "ExpansionBound",
    "Optimum",
    "Rewired",
    "butterfly_net",
    "compare_with_null",
    "expansion_bound",
    "optimize",
    "radix_net",
    "relabel",
    "rewire",
]
