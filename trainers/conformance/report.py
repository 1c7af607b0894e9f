"""The report of `check_trainer`: for each check, passed or what it found wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """One violation of the contract.

    Parameters
    ----------
    check
        Name of the check.
    expected, came
        Result that the contract requires, and the trainer's result.
    contract
        Place in the contract that requires it, quoted.
    """

    check: str
    expected: str
    came: str
    contract: str

    def __str__(self) -> str:
        return f"{self.check}\n  expected  {self.expected}\n  came      {self.came}\n  contract  {self.contract}"


@dataclass(frozen=True)
class Finding:
    """Result of one check.

    Parameters
    ----------
    check
        Name of the check.
    failures
        What it found wrong; empty where it passed.
    note
        Parts of the check that were left out, since the trainer refuses the settings by name.
    """

    check: str
    failures: tuple[Failure, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class ConformanceReport:
    """All findings of `check_trainer`.

    Parameters
    ----------
    trainer
        Name of the trainer.
    findings
        One per check.
    refused
        Setting → the values that the trainer refuses by name, as it may.
    seed
        Seed of the sizes that were drawn; None where no check drew any.
    left_out
        Names of the checks that could not run, since the trainer refuses the settings that they start from.
    """

    trainer: str
    findings: tuple[Finding, ...]
    refused: Mapping[str, tuple[object, ...]]
    seed: int | None = None
    left_out: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[Failure, ...]:
        """All violations of the contract."""
        return tuple(failure for finding in self.findings for failure in finding.failures)

    def __str__(self) -> str:
        verdict = "breaks" if self.failures else "keeps"
        lines = [f"the trainer {self.trainer!r} {verdict} the contract: {len(self.findings)} checks"]
        for finding in self.findings:
            state = "FAILED" if finding.failures else "passed"
            lines.append(f"  {state:11s}  {finding.check}{f' ({finding.note})' if finding.note else ''}")
        if self.left_out:
            lines.append(f"  left out     {', '.join(self.left_out)}")
        if self.seed is not None:
            lines.append(f"  sizes drawn with seed={self.seed}")
        if self.refused:
            words = (f"{name}={value!r}" for name, values in self.refused.items() for value in values)
            lines.append(f"  it refuses by name, as it may: {', '.join(words)}")
        lines += [f"\n{failure}" for failure in self.failures]
        return "\n".join(lines)
