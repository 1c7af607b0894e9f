"""Settings of all tests."""

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

# a loaded machine, or a kernel that is compiled first, is not a failure
settings.register_profile("topograph", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("topograph")


def pytest_configure():
    """One thread per process where each core has a process: more would wait for each other, twice as long."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")


@pytest.fixture(autouse=True)
def _close_figures():
    """Matplotlib warns of many open figures, whoever has opened them."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
