"""Checks that the same seed gives the same result, and another seed another one."""

from __future__ import annotations

from collections.abc import Iterator

from trainers.conformance.session import Mismatch, Session, small_task
from trainers.result import TrainingResult


def _bits(result: TrainingResult) -> tuple[object, ...]:
    arrays = tuple(array.tobytes() for array in (*(weights.data for weights in result.weights), *result.biases))
    return (*arrays, *sorted(result.history.items()), result.correct, result.train_accuracy)


def same_seed(session: Session) -> Iterator[Mismatch]:
    """The same bits again, another training in between; other weights from another seed."""
    task = small_task()
    first = session.train(task, epochs=3, seed=0)
    bits = _bits(first)
    different, again = session.train(task, epochs=3, seed=1), session.train(task, epochs=3, seed=0)
    if bits != _bits(again):
        names = [name for name, values in first.history.items() if values != again.history.get(name)]
        yield "the same bits from the same seed", f"others, in {', '.join(names) or 'the weights'}"
    if bits != _bits(first):
        yield "a result that stays as it is during later trainings", "its arrays changed"
    if bits[: len(first.weights)] == _bits(different)[: len(different.weights)]:
        yield "other weights from another seed", "the same"
