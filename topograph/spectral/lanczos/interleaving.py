"""Several Lanczos runs side by side: each decides on its own what comes next, but they share passes over the pattern.

The computations of different quantities are generators that ask for steps, ``yield run, count``, and look at their run
when it has taken them. One pass over the indices then serves up to four runs for little more than the price of one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, TypeVar

from topograph.spectral.lanczos.operators import FullOperator, HalfOperator, advance_together

if TYPE_CHECKING:
    from topograph.spectral.lanczos.run import LanczosRun

T = TypeVar("T")

Stepwise = Generator[tuple["LanczosRun", int], None, T]
"""A computation that asks for steps of Lanczos runs, and returns a result in the end."""


def complete(computation: Stepwise[T]) -> T:
    """The result of one computation."""
    while True:
        try:
            run, count = next(computation)
        except StopIteration as end:
            result: T = end.value
            return result
        run.advance(count)


def complete_together(computations: Sequence[Stepwise[T]]) -> list[T]:
    """The results of up to `table.RUNS` computations, whose runs advance together as far as they share a pattern."""
    if len(computations) == 1:
        return [complete(computations[0])]
    results: dict[int, T] = {}
    waiting: dict[int, tuple[LanczosRun, int]] = {}  # by computation: its run, and the step at which it wants to look

    def resume(number: int) -> None:
        try:
            run, count = next(computations[number])
        except StopIteration as end:
            results[number] = end.value
            waiting.pop(number, None)
        else:
            waiting[number] = run, run.steps + count

    for number in range(len(computations)):
        resume(number)
    while waiting:
        wanted = sorted(goal - run.steps for run, goal in waiting.values())
        surplus = max(run.pacing.surplus for run, _ in waiting.values())
        count = max(steps for steps in wanted if steps <= wanted[0] + surplus)
        advance_all([run for run, _ in waiting.values()], count)
        for number, (run, goal) in list(waiting.items()):
            if run.steps >= goal or run.exhausted:
                resume(number)
    return [results[number] for number in range(len(computations))]


def advance_all(runs: Sequence[LanczosRun], count: int) -> None:
    """Up to ``count`` steps of every run, those on one pattern by common passes."""
    by_pattern: dict[int, list[LanczosRun]] = defaultdict(list)
    for run in runs:
        if isinstance(run.operator, FullOperator | HalfOperator):
            by_pattern[id(run.operator.pattern)].append(run)
        else:
            run.advance(count)
    for group in by_pattern.values():
        pairs = []
        for run in group:
            assert isinstance(run.operator, FullOperator | HalfOperator)
            run.make_room(count)
            pairs.append((run.operator, run.state))
        advance_together(pairs, count)
