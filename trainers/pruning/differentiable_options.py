"""Options that methods with gradients share; nothing here imports PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from topograph.checks import check_choice

NORMALISATIONS = ("batch", "running")
"""Batch normalisation by the batch's own statistics, as in training, or by the running ones."""


def normalisation_of(options: Mapping[str, Any]) -> str:
    """The checked option ``normalisation``."""
    return check_choice("normalisation", options["normalisation"], NORMALISATIONS)
