"""`drive`: keeps the workers busy, and stores their results as soon as they are there."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue

from topograph.errors import WorkerError
from trainers.study.engine.agenda import Agenda, Ticket
from trainers.study.engine.backends import Backend, WorkerLostError
from trainers.study.engine.interrupts import interrupted, watching_interrupts
from trainers.study.engine.progress import Progress
from trainers.study.engine.sandbox import SandboxLimitError
from trainers.study.engine.worker import describe_error
from trainers.study.records import JobResult, writable
from trainers.study.store import FinishedJob, StoreWriter


class Tally:
    """Numbers of networks that were trained and that failed."""

    def __init__(self) -> None:
        self.trained = self.failed = 0


def drive(
    writer: StoreWriter, agenda: Agenda, backend: Backend, progress: Progress, costs: Mapping[int, float]
) -> Tally:
    """Do everything on the agenda.

    All results that are there are stored in one transaction, so that a thousand workers wait no longer for the disk
    than one.

    Raises
    ------
    WorkerError
        When the workers are gone. Finished networks are kept.
    """
    tally = Tally()
    ended: SimpleQueue[Future[list[JobResult]]] = SimpleQueue()
    under_way: dict[Future[list[JobResult]], list[Ticket]] = {}

    def store_ended() -> None:
        """Store the results of all jobs that have ended."""
        jobs: list[FinishedJob] = []
        try:
            for future in _drained(ended):
                results = _results(agenda, backend, future, under_way.pop(future))
                jobs += [agenda.finish(ticket, result) for ticket, result in results]
        finally:  # when the workers are gone, too
            jobs = writer.save(jobs)
        for job in jobs:
            if not job.trained:
                continue
            record = job.result.record
            tally.trained += record is not None
            tally.failed += record is None
            progress.update(costs.get(job.run, 0.0), record is None, record["test_accuracy"] if record else math.nan)

    with watching_interrupts():
        try:
            while True:
                late = time.monotonic() + backend.patience
                while len(under_way) < backend.window and time.monotonic() < late and (tickets := agenda.next()):
                    future = backend.submit([ticket.job for ticket in tickets])
                    under_way[future] = tickets
                    future.add_done_callback(ended.put)
                    if interrupted():  # a trainer in this process caught Ctrl-C and went on
                        raise KeyboardInterrupt
                if not under_way:
                    return tally
                with suppress(Empty):
                    ended.put(ended.get(timeout=1.0))  # wait for one
                    store_ended()
                backend.check()
        except KeyboardInterrupt:
            store_ended()  # what has ended by now is not thrown away
            raise


def _drained(queue: SimpleQueue[Future[list[JobResult]]]) -> Iterator[Future[list[JobResult]]]:
    while True:
        try:
            yield queue.get_nowait()
        except Empty:
            return


def _results(
    agenda: Agenda, backend: Backend, future: Future[list[JobResult]], tickets: list[Ticket]
) -> Sequence[tuple[Ticket, JobResult]]:
    """The tickets of a call with their results; tickets that are tried again are missing."""
    try:
        results = backend.result(future)
        _check_replies(results, tickets)
        return list(zip(tickets, results, strict=True))
    except WorkerLostError as error:
        return agenda.died(tickets, str(error))
    except SandboxLimitError as error:
        if len(tickets) > 1:  # alone, each one has a time of its own
            return agenda.died(tickets, str(error))
        result = JobResult(reason=str(error), unmeasured=str(error) if tickets[0].job.metrics else "")
        return [(tickets[0], result)]
    except WorkerError:
        raise
    except Exception as error:  # the call itself went wrong in the worker: a package that is not installed, say
        failed = JobResult(reason=writable(describe_error(error)), traceback=writable(traceback.format_exc()))
        return [(ticket, failed) for ticket in tickets]


def _check_replies(results: object, tickets: Sequence[Ticket]) -> None:
    """Refuse replies that do not answer the jobs that were given, one for one.

    Raises
    ------
    WorkerLostError
        The jobs can be tried again.
    """
    asked = [ticket.job.run for ticket in tickets]
    if not isinstance(results, list) or not all(isinstance(result, JobResult) for result in results):
        raise WorkerLostError(f"a worker was asked for the runs {asked}, but returned a {type(results).__name__}")
    given = [result.run for result in results]
    if given != asked:
        raise WorkerLostError(f"a worker was asked for the runs {asked}, but answered for {given}")
