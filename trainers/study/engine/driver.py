"""`drive`: keeps the workers busy, and writes down what they did the moment it is there."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue

from topograph.errors import WorkerError
from trainers.study.engine.agenda import Agenda, Ticket
from trainers.study.engine.backends import Backend, WorkerLostError
from trainers.study.engine.progress import Progress
from trainers.study.engine.sandbox import SandboxLimitError
from trainers.study.records import JobResult
from trainers.study.store import StoreWriter


class Tally:
    """How many networks were trained, and how many failed."""

    def __init__(self) -> None:
        self.trained = self.failed = 0


def drive(
    writer: StoreWriter, agenda: Agenda, backend: Backend, progress: Progress, costs: Mapping[int, float]
) -> Tally:
    """Do everything on the agenda.

    All results that are there are written in one transaction, so that a thousand workers cost no more waiting for the
    disk than one.

    Raises
    ------
    WorkerError
        When the workers are gone. What was finished is kept.
    """
    tally = Tally()
    ended: SimpleQueue[Future[list[JobResult]]] = SimpleQueue()
    under_way: dict[Future[list[JobResult]], list[Ticket]] = {}

    def settle() -> None:
        """Write down everything that has ended."""
        found = [
            (ticket, outcome)
            for future in _drained(ended)
            for ticket, outcome in _outcomes(agenda, backend, future, under_way.pop(future))
        ]
        kept = [agenda.settle(ticket, outcome) for ticket, outcome in found]
        writer.save(kept)
        for result in kept:
            if not result.trained:
                continue
            record = result.outcome.record
            tally.trained += record is not None
            tally.failed += record is None
            progress.update(costs.get(result.run, 0.0), record is None, record["test_accuracy"] if record else math.nan)

    try:
        while True:
            late = time.monotonic() + backend.patience
            while len(under_way) < backend.window and time.monotonic() < late and (tickets := agenda.next()):
                future = backend.submit([ticket.job for ticket in tickets])
                under_way[future] = tickets
                future.add_done_callback(ended.put)
            if not under_way:
                return tally
            with suppress(Empty):
                ended.put(ended.get(timeout=1.0))  # wait for one
                settle()
            backend.check()
    except KeyboardInterrupt:
        settle()  # what has ended by now is not thrown away
        raise


def _drained(queue: SimpleQueue[Future[list[JobResult]]]) -> Iterator[Future[list[JobResult]]]:
    while True:
        try:
            yield queue.get_nowait()
        except Empty:
            return


def _outcomes(
    agenda: Agenda, backend: Backend, future: Future[list[JobResult]], tickets: list[Ticket]
) -> list[tuple[Ticket, JobResult]]:
    try:
        return list(zip(tickets, backend.result(future), strict=True))
    except WorkerLostError as error:
        return agenda.died(tickets, str(error))
    except SandboxLimitError as error:
        if len(tickets) > 1:  # alone, each has its own time
            return agenda.died(tickets, str(error))
        outcome = JobResult(reason=str(error), unmeasured=str(error) if tickets[0].job.metrics else "")
        return [(tickets[0], outcome)]
    except WorkerError:
        raise
    except Exception as error:  # the call itself went wrong over there: a package that is not installed, say
        words = f"{type(error).__name__}: {error}"
        return [(ticket, JobResult(reason=words, traceback=traceback.format_exc())) for ticket in tickets]
