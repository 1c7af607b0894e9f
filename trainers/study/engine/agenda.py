"""`Agenda`: the next jobs, the longest first, and those that must be repeated."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trainers.registry import get_trainer
from trainers.study.engine.worker import pack_trainer
from trainers.study.records import Job, JobResult
from trainers.study.spec import Recipe
from trainers.study.store import FinishedJob, StoreWriter

_AHEAD = 1000
_DEATHS = 3


@dataclass(frozen=True)
class Ticket:
    """A job under way.

    Parameters
    ----------
    recipe
        Number of its recipe in the store.
    job
        The job.
    deaths
        Number of workers that died while doing it.
    """

    recipe: int
    job: Job
    deaths: int = 0

    @property
    def trains(self) -> bool:
        """Whether a network is trained; otherwise only a topology is measured."""
        return self.job.condition is not None


class Agenda:
    """Hands out tickets and takes back their results.

    Metrics are computed with the first training of a topology, or alone where all its trainings are done.

    Parameters
    ----------
    writer
        Writer of the store.
    runs
        Numbers of the runs to train, in order.
    metrics
        Names of the metrics that every topology needs.
    together
        Largest number of networks given at once to a trainer that trains many together.
    slots
        Number of workers, among which such networks are shared out.
    keep_weights
        Whether trained weights are kept.
    remeasure
        Whether metrics that could not be computed before are tried again.
    send_trainers
        Whether trainers that only this process knows are sent along, since the workers are other processes.
    """

    def __init__(
        self,
        writer: StoreWriter,
        runs: Sequence[int],
        metrics: Sequence[str],
        *,
        together: int = 1,
        slots: int = 1,
        keep_weights: bool = False,
        remeasure: bool = False,
        send_trainers: bool = True,
    ) -> None:
        self._writer, self._metrics = writer, tuple(metrics)
        self._together, self._slots, self._keep_weights = together, slots, keep_weights
        self._runs, self._position = runs, 0
        self._ahead: deque[tuple[int, int, Job]] = deque()
        self._again: deque[Ticket] = deque()
        self._known = writer.measured()
        self._asked: set[int] = set() if remeasure else writer.unmeasurable()
        self._owed: deque[int] | None = None
        self._many: dict[str, bool] = {}
        self._packed: dict[str, bytes] = {}
        self._send_trainers = send_trainers

    def next(self) -> list[Ticket]:
        """Tickets for one worker: several only when they can be trained together, none when nothing is left for now."""
        if self._again:
            return [self._with_metrics(self._again.popleft())]
        self._look_ahead()
        if self._ahead:
            return self._training()
        if self._owed is None:
            wanted = set(self._metrics)
            self._owed = deque(recipe for recipe, known in self._known.items() if wanted - known)
        while self._owed:
            recipe = self._owed.popleft()
            ticket = self._with_metrics(Ticket(recipe, Job(0, self._writer.recipe(recipe))))
            # a topology that could never be made is not tried for its metrics alone
            if ticket.job.metrics and recipe in self._writer.topologies:
                return [ticket]
        return []

    def finish(self, ticket: Ticket, result: JobResult) -> FinishedJob:
        """Take the result of a ticket; returns what is to be stored."""
        if ticket.job.metrics:
            if result.profile is not None:
                self._known[ticket.recipe] = self._known.get(ticket.recipe, frozenset()) | set(ticket.job.metrics)
            elif not result.unmeasured:
                self._ask_again(ticket)
        known = self._writer.topologies.get(ticket.recipe, result.topology_id)
        if result.topology_id and result.topology_id != known:
            result = JobResult(
                run=result.run,
                reason=f"StoreError: the recipe gave other edges on {result.machine} ({result.topology_id}) "
                f"than elsewhere ({known}): the machines have different versions of a construction",
            )
        return FinishedJob(ticket.job.run, ticket.recipe, result, ticket.trains, 1 + ticket.deaths)

    def died(self, tickets: Sequence[Ticket], reason: str) -> list[tuple[Ticket, JobResult]]:
        """Repeat tickets under which a worker died, one by one; returns those that have died too often, as failed."""
        lost = []
        for ticket in tickets:
            # one of several is to blame: alone, each answers for itself
            ticket = ticket if len(tickets) > 1 else replace(ticket, deaths=ticket.deaths + 1)
            if ticket.deaths < _DEATHS:
                self._ask_again(ticket)
                self._again.append(ticket)
            else:
                words = f"{ticket.deaths} times: {(reason.splitlines() or [''])[0]}"
                unmeasured = words if ticket.job.metrics else ""
                ticket = replace(ticket, deaths=ticket.deaths - 1)  # its last attempt is counted with its end
                lost.append((ticket, JobResult(unmeasured=unmeasured, reason=words, traceback=reason)))
        return lost

    def _ask_again(self, ticket: Ticket) -> None:
        if ticket.job.metrics:
            self._asked.discard(ticket.recipe)
            if self._owed is not None and ticket.trains:
                self._owed.append(ticket.recipe)

    def _look_ahead(self) -> None:
        if len(self._ahead) < _AHEAD // 2 and self._position < len(self._runs):
            chosen = self._runs[self._position : self._position + _AHEAD]
            self._position += len(chosen)
            self._ahead.extend(self._writer.jobs(chosen))

    def _training(self) -> list[Ticket]:
        recipe, condition, job = self._ahead.popleft()
        chosen = [(recipe, job)]
        if self._trains_many(job):
            fair = -(-(len(self._ahead) + 1) // self._slots)
            rest: deque[tuple[int, int, Job]] = deque()
            for entry in self._ahead:
                alike = entry[1] == condition and _shape(entry[2]) == _shape(job)
                if alike and len(chosen) < min(self._together, fair):
                    chosen.append((entry[0], entry[2]))
                else:
                    rest.append(entry)
            self._ahead = rest
        return [self._with_metrics(Ticket(recipe, job)) for recipe, job in chosen]

    def _trains_many(self, job: Job) -> bool:
        if self._together < 2 or job.condition is None or not _shape(job):
            return False
        name = job.condition.trainer
        if name not in self._many:
            self._many[name] = hasattr(get_trainer(name), "train_many")
        return self._many[name]

    def _with_metrics(self, ticket: Ticket) -> Ticket:
        known = self._known.get(ticket.recipe, frozenset())
        missing = () if ticket.recipe in self._asked else tuple(name for name in self._metrics if name not in known)
        if missing:
            self._asked.add(ticket.recipe)
        return replace(
            ticket,
            job=replace(
                ticket.job,
                topology_id=self._writer.topologies.get(ticket.recipe, ""),
                metrics=missing,
                last_metrics=self._metrics if ticket.trains else (),
                keep_weights=self._keep_weights and ticket.trains,
                trainer=self._sent(ticket.job),
            ),
        )

    def _sent(self, job: Job) -> bytes:
        if job.condition is None or not self._send_trainers:
            return b""
        name = job.condition.trainer
        if name not in self._packed:
            self._packed[name] = pack_trainer(name)
        return self._packed[name]


def _shape(job: Job) -> tuple[int, ...]:
    """The sizes that networks trained together have in common; none of a model, which is trained alone."""
    return job.recipe.sizes if isinstance(job.recipe, Recipe) else ()
