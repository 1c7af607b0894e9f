"""Settings of all tests."""

import os
import sys
from importlib.metadata import version
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings
from packaging.version import Version

# a loaded machine, or a kernel that is compiled first, is not a failure
settings.register_profile("topograph", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("topograph")


def pytest_configure():
    """Set what libraries read when they are first used.

    One thread per process where each core has a process: more would wait for each other, twice as long. And little
    effort for XLA: the networks are tiny, and its compiler's time is nearly all that is spent.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")
    flags = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    if find_spec("jaxlib") and Version(version("jaxlib")) >= Version(
        "0.10"
    ):  # older ones end at a flag they do not know
        flags += " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    os.environ.setdefault("XLA_FLAGS", flags)


@pytest.fixture(autouse=True)
def _close_figures():
    """Matplotlib warns of many open figures, whoever has opened them."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
