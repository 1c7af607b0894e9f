"""`Agenda`: what is to be done next, the longest first, and what has to be done again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trainers.registry import get_trainer
from trainers.study.records import Job, JobResult
from trainers.study.store import FinishedJob, StoreWriter

_AHEAD = 1000
_DEATHS = 3


@dataclass(frozen=True)
class Ticket:
    """A job under way.

    Parameters
    ----------
    recipe
        Its number in the store.
    job
        What to do.
    deaths
        Workers that died under it.
    """

    recipe: int
    job: Job
    deaths: int = 0

    @property
    def trains(self) -> bool:
        """Whether a network is trained, or only a topology measured."""
        return self.job.condition is not None


class Agenda:
    """Hands out tickets, and takes back what became of them.

    Metrics are asked for with the first training of a topology; where all its trainings are done, by themselves.

    Parameters
    ----------
    writer
        The store.
    runs
        Numbers of the runs to train, in their order.
    metrics
        Names of the metrics to be known of every topology.
    together
        Networks given at most to a trainer that trains many at once.
    slots
        Workers; so that such a trainer leaves some for each.
    keep_weights
        Whether trained weights are kept.
    remeasure
        Whether metrics that could not be computed before are tried again.
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

    def next(self) -> list[Ticket]:
        """Tickets for one worker; several only where they can be trained together; none when nothing is left now."""
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
            # what could never be made is not tried for its metrics alone
            if ticket.job.metrics and recipe in self._writer.topologies:
                return [ticket]
        return []

    def settle(self, ticket: Ticket, outcome: JobResult) -> FinishedJob:
        """What is to be kept of a ticket's outcome."""
        if ticket.job.metrics:
            if outcome.profile is not None:
                self._known[ticket.recipe] = self._known.get(ticket.recipe, frozenset()) | set(ticket.job.metrics)
            elif not outcome.unmeasured:
                self._ask_again(ticket)
        known = self._writer.topologies.get(ticket.recipe, outcome.topology_id)
        if outcome.topology_id and outcome.topology_id != known:
            outcome = JobResult(
                reason=f"StoreError: the recipe made other connections on {outcome.machine} ({outcome.topology_id}) "
                f"than elsewhere ({known}): the machines have different versions of a construction"
            )
        return FinishedJob(ticket.job.run, ticket.recipe, outcome, ticket.trains, 1 + ticket.deaths)

    def died(self, tickets: Sequence[Ticket], reason: str) -> list[tuple[Ticket, JobResult]]:
        """A worker died under some tickets: they are tried again one by one; what has died too often is returned."""
        lost = []
        for ticket in tickets:
            # of several, one is to blame: alone, each answers for itself
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
                alike = entry[1] == condition and entry[2].recipe.sizes == job.recipe.sizes
                if alike and len(chosen) < min(self._together, fair):
                    chosen.append((entry[0], entry[2]))
                else:
                    rest.append(entry)
            self._ahead = rest
        return [self._with_metrics(Ticket(recipe, job)) for recipe, job in chosen]

    def _trains_many(self, job: Job) -> bool:
        if self._together < 2 or job.condition is None:
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
                keep_weights=self._keep_weights and ticket.trains,
            ),
        )
