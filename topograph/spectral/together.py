"""Several lanes in step: what each does next is its own affair, but their products share each pass over the pattern.

The runs of different quantities are generators that ask for steps, ``yield lane, count``, and look at their lane when
it has taken them. One pass over the indices then serves up to four lanes for little more than the price of one.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, TypeVar

from topograph.spectral.kernels import LANES
from topograph.spectral.operators import FullOperator, HalfOperator, advance_runs

if TYPE_CHECKING:
    from topograph.spectral.lane import Lane

T = TypeVar("T")

Running = Generator[tuple["Lane", int], None, T]
"""A run that asks for steps of a lane, and has a result in the end."""


def alone(running: Running[T]) -> T:
    """The result of one run."""
    while True:
        try:
            lane, count = next(running)
        except StopIteration as end:
            result: T = end.value
            return result
        lane.advance(count)


def together(runs: Sequence[Running[T]]) -> list[T]:
    """The results of several runs, at most `LANES`, whose lanes move on in step as far as they share a pattern."""
    if len(runs) == 1:
        return [alone(runs[0])]
    results: dict[int, T] = {}
    asked: dict[int, tuple[Lane, int]] = {}  # by number of the run: its lane, and at which step it wants to look

    def resume(number: int) -> None:
        try:
            lane, count = next(runs[number])
        except StopIteration as end:
            results[number] = end.value
            asked.pop(number, None)
        else:
            asked[number] = lane, lane.steps + count

    for number in range(len(runs)):
        resume(number)
    while asked:
        wanted = sorted(goal - lane.steps for lane, goal in asked.values())
        slack = max(lane.slack for lane, _ in asked.values())
        count = max(steps for steps in wanted if steps <= wanted[0] + slack)
        advance_lanes([lane for lane, _ in asked.values()], count)
        for number, (lane, goal) in list(asked.items()):
            if lane.steps >= goal or lane.exhausted:
                resume(number)
    return [results[number] for number in range(len(runs))]


def advance_lanes(lanes: Sequence[Lane], count: int) -> None:
    """Up to ``count`` steps of every lane, those of one pattern by common passes."""
    groups: dict[int, list[Lane]] = {}
    for lane in lanes:
        operator = lane.operator
        place = id(operator.pattern) if isinstance(operator, FullOperator | HalfOperator) else id(lane)
        groups.setdefault(place, []).append(lane)
    for group in groups.values():
        if len(group) == 1:
            group[0].advance(count)
            continue
        assert len(group) <= LANES
        taken = advance_runs([lane.prepared(count) for lane in group], count)
        for lane in group:
            lane.settle(lane.steps + taken)
