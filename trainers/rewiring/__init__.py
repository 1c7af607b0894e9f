"""Dynamic sparse training: edges that change while a network trains, at a constant number.

>>> from trainers.rewiring import available_rewirings
>>> available_rewirings()
('cht', 'mest', 'rigl', 'set', 'srigl')
"""

from trainers.rewiring.layer import Change, LayerState
from trainers.rewiring.module_rewiring import ModuleRewiring
from trainers.rewiring.rule import RewiringRule, available_rewirings, describe_rewirings, get_rewiring

__all__ = [
    "Change",
    "LayerState",
    "ModuleRewiring",
    "RewiringRule",
    "available_rewirings",
    "describe_rewirings",
    "get_rewiring",
]
