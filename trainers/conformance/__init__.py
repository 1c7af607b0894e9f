"""The conformance kit: what every trainer must pass, shipped for those who write one.

>>> from trainers.conformance import check_trainer
>>> print(check_trainer("numpy", only=["exact_mask", "same_seed"]))
the trainer 'numpy' keeps the contract: 2 checks
  passed       exact_mask
  passed       same_seed
"""

from trainers.conformance.kit import CHECKS, check_trainer
from trainers.conformance.pruning import check_pruner
from trainers.conformance.report import ConformanceReport, Failure, Finding
from trainers.conformance.rewiring import check_rewiring

__all__ = [
    "CHECKS",
    "ConformanceReport",
    "Failure",
    "Finding",
    "check_pruner",
    "check_rewiring",
    "check_trainer",
]
