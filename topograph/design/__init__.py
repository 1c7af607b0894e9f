"""Topologies made to order: nulls, a wanted connectivity at fixed degrees, the best expanders, whole networks."""

from topograph.design.rewiring import Rewired, relabel, rewire

__all__ = ["Rewired", "relabel", "rewire"]
