"""Masks that data and gradients make: pruning before and after training, exact to the edge.

>>> import topograph as tg
>>> from trainers.pruning import prune
>>> prune("random", tg.Topology.build("dense", [64, 32, 10]), density=0.1, allocation="er").to_topology().n_edges
237
"""

from trainers.pruning.pruner import Pruner, available_pruners, describe_pruners, get_pruner
from trainers.pruning.pruning import find_tickets, prune
from trainers.pruning.task import PruningTask
from trainers.pruning.tickets import Ticket

__all__ = [
    "Pruner",
    "PruningTask",
    "Ticket",
    "available_pruners",
    "describe_pruners",
    "find_tickets",
    "get_pruner",
    "prune",
]
