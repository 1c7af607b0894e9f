"""Every trainer there is passes the kit, the one from outside too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from trainers import describe_trainers, get_trainer
from trainers.conformance import CHECKS, check_trainer

os.environ.setdefault("KERAS_BACKEND", "torch")  # must be said before Keras is first imported

REGISTERED = describe_trainers()
OF_PYTORCH = {"compression", "dropconnect"}


@pytest.mark.parametrize("name", REGISTERED.index)
def test_the_whole_kit(name):
    if REGISTERED["reason"][name]:
        pytest.skip(REGISTERED["reason"][name])
    report = check_trainer(name, seed=0)  # other seeds: `python -m tests.trainers.conformance.sweep`
    assert len(report.findings) == len(CHECKS)
    assert not report.failures
    if type(get_trainer(name)).__module__.startswith("trainers."):  # the built-in trainers offer every other setting
        refused = {"pytorch": set(), "keras": OF_PYTORCH | {"dtype"}}.get(name, OF_PYTORCH)
        assert set(report.refused) <= refused


def test_the_built_in_trainers_are_among_them():
    assert set(REGISTERED.index) >= {"numpy", "pytorch", "pytorch_sparse", "keras"}


def test_keras_on_jax():
    """The checks that its arithmetic decides; in another process, since each has one backend."""
    for package in ("keras", "jax"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    names = ["protocol", "unseen_inputs", "gradients", "batch_order", "later_settings", "divergence"]
    code = f"from trainers.conformance import check_trainer; print(check_trainer('keras', only={names}))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.count("passed") == len(names)
