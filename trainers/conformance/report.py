"""What the checks found: passed, not offered, or failed and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """One thing that is not as the contract has it.

    Parameters
    ----------
    check
        Name of the check.
    expected, came
        What the contract leads to, and what the trainer did.
    contract
        Where the contract says so.
    """

    check: str
    expected: str
    came: str
    contract: str

    def __str__(self) -> str:
        return f"{self.check}\n  expected  {self.expected}\n  came      {self.came}\n  contract  {self.contract}"


@dataclass(frozen=True)
class Outcome:
    """What became of one check; ``note`` says what of it could not be tried, since the trainer refuses it by name."""

    check: str
    failures: tuple[Failure, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class ConformanceReport:
    """All outcomes of `check_trainer`.

    Parameters
    ----------
    trainer
        Its name.
    outcomes
        One a check.
    refused
        Setting → the values that the trainer refuses by name, as it may.
    """

    trainer: str
    outcomes: tuple[Outcome, ...]
    refused: Mapping[str, tuple[object, ...]]

    @property
    def failures(self) -> tuple[Failure, ...]:
        """All that is not as the contract has it."""
        return tuple(failure for outcome in self.outcomes for failure in outcome.failures)

    def __str__(self) -> str:
        verdict = "breaks" if self.failures else "keeps"
        lines = [f"the trainer {self.trainer!r} {verdict} the contract: {len(self.outcomes)} checks"]
        for outcome in self.outcomes:
            state = "FAILED" if outcome.failures else "passed"
            lines.append(f"  {state:11s}  {outcome.check}{f' ({outcome.note})' if outcome.note else ''}")
        if self.refused:
            words = (f"{name}={value!r}" for name, values in self.refused.items() for value in values)
            lines.append(f"  it refuses by name, as it may: {', '.join(words)}")
        lines += [f"\n{failure}" for failure in self.failures]
        return "\n".join(lines)
