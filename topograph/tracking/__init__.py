"""Masks watched over time, while anybody's loop trains the model that holds them."""

from topograph.tracking.journal import read_history
from topograph.tracking.tracker import CollapseWarning, Tracker

__all__ = ["CollapseWarning", "Tracker", "read_history"]
