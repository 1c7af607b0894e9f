"""The kit catches what breaks the contract of models, by the check that is named for it."""

from __future__ import annotations

import pytest

from topograph.errors import ConformanceError
from trainers.conformance import CHECKS, check_trainer

pytest.importorskip("torch", reason="PyTorch is not installed")

from tests.trainers.conformance.model_mutants import MODEL_MUTANTS, Changed

MODEL_CHECKS = [name for name in CHECKS if name.startswith("model_")]


def test_what_keeps_the_contract_passes():
    report = check_trainer(Changed(), only=MODEL_CHECKS)
    assert not report.failures
    assert not any(finding.note for finding in report.findings)


def test_a_trainer_of_chains_has_nothing_to_show():
    report = check_trainer("numpy", only=MODEL_CHECKS)
    assert {finding.note for finding in report.findings} == {"trains chains only"}


@pytest.mark.parametrize(("kind", "check"), MODEL_MUTANTS, ids=lambda value: getattr(value, "__name__", value))
def test_what_breaks_it_is_caught_by_name(kind, check):
    with pytest.raises(ConformanceError) as caught:
        check_trainer(kind(), only=[check], seed=0)
    message = str(caught.value)
    assert f"FAILED       {check}" in message
    assert f"contract  trainers.{CHECKS[check].of}" in message


def test_every_check_of_models_can_fail():
    assert {check for _, check in MODEL_MUTANTS} == set(MODEL_CHECKS)
