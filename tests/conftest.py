"""Settings of all tests."""

import sys

import pytest
from hypothesis import HealthCheck, settings

# a loaded machine, or a kernel that is compiled first, is not a failure
settings.register_profile("topograph", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("topograph")


@pytest.fixture(autouse=True)
def _close_figures():
    """Matplotlib warns of many open figures, whoever has opened them."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
