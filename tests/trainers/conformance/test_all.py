"""Every trainer there is passes the kit, the one from outside too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from trainers import describe_trainers
from trainers.conformance import CHECKS, check_trainer


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("numpy", "numba"),
        ("pytorch", "torch"),
        ("pytorch_sparse", "torch"),
        ("keras", "keras"),
        ("jax", "topograph_jax"),
    ],
)
def test_the_whole_kit(name, package, monkeypatch):
    pytest.importorskip(package, reason=f"{package} is not installed")
    if name == "keras":
        monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "torch"))
    report = check_trainer(name)
    assert len(report.outcomes) == len(CHECKS)
    assert not report.failures
    if name != "jax":
        assert not report.refused  # the built-ins offer all that there is


def test_every_registered_trainer_is_among_them():
    assert set(describe_trainers()) <= {"numpy", "pytorch", "pytorch_sparse", "keras", "jax"}


def test_keras_on_jax():
    """The checks that its arithmetic decides, in double precision; in another process, since each has one backend."""
    for package in ("keras", "jax"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    names = ["protocol", "unseen_inputs", "gradients", "batch_order", "later_settings", "divergence"]
    code = f"from trainers.conformance import check_trainer; print(check_trainer('keras', only={names}))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.count("passed") == len(names)
