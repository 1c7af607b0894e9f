"""`Tracker`: watches the masks of a model, of a mask set or of arrays while anybody's loop trains them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from topograph.checks import check_integer, check_real
from topograph.errors import InvalidMaskError, InvalidParameterError
from topograph.masks.maskset import MaskSet
from topograph.masks.options import Reading
from topograph.metrics.measured import Record
from topograph.metrics.measuring import measure, network_records
from topograph.metrics.registry import select_metrics
from topograph.model_graph.graph import NetworkGraph
from topograph.model_graph.making import graph_of_model
from topograph.model_graph.row import graph_records
from topograph.topology import Topology
from topograph.tracking.audit import Audit
from topograph.tracking.callbacks import make_callback
from topograph.tracking.changes import LayerHistory, network_values
from topograph.tracking.journal import COLUMNS, Row, open_journal, tidy
from topograph.tracking.logging import logger
from topograph.tracking.snapshot import LayerBits, take_snapshot

if TYPE_CHECKING:
    import pandas as pd

NETWORK = "network"


class CollapseWarning(UserWarning):
    """A layer is about to lose its last edges."""


class Tracker:
    """Watch masks over time.

    At every update each layer's edges are read and compared with the update before, bit by bit; metrics are computed
    only for layers whose edges changed, and what did not change is written down again as it was. Nothing of the model
    is changed.

    Parameters
    ----------
    target
        A live PyTorch or Keras model, masked or not (then an edge is a weight that is not 0); arrays or tensors by
        name; a `MaskSet` or a `Topology`; or a function that gives any of these at every update.
    metrics
        Metrics of every layer, as for `topograph.measure`. Where the layers are a chain, the network has a row, too.
    every
        Calls of `update` for one that is looked at: 10 looks at the first, the 11th, ….
    optimizer
        The optimizer whose state `audit` looks into; a PyTorch one also tells the tracker when a step was taken.
    path
        Where rows are appended while it runs: ``.parquet`` (a folder of parts) or ``.sqlite``. `kill -9` loses at most
        the last step; `topograph.tracking.read_history` reads it.
    log
        Called at every update with a flat mapping such as ``{"fc1/density": 0.1}``, and with ``step=`` where it takes
        that: ``wandb.log``, or any function.
    chain
        Names of the layers that follow each other, for the metrics of the network; True for all. A topology is one.
    example
        For a live model that is not a chain: an input of it, or the shape of one sample, as for `topograph.measure`.
        The metrics of the network are then those of the graph of the whole model.
    alarm_below
        A layer rings the alarm when less than this share of its inputs or of its outputs still has an edge, or when it
        will have no edge within three more updates like the last two.
    on_alarm
        Called with a sentence when a layer begins to ring; by default it becomes a `CollapseWarning`.
    include, exclude
        Globs over layer names.

    Examples
    --------
    >>> import numpy as np
    >>> masks = {"fc1": np.eye(4), "fc2": np.ones((4, 2))}
    >>> tracker = Tracker(masks, metrics=["density"])
    >>> tracker.update(0)
    >>> masks["fc1"][0, 0], masks["fc1"][0, 1] = 0, 1
    >>> tracker.update(1)
    >>> table = tracker.table()
    >>> table[(table.layer == "fc1") & (table.metric == "turnover")].value.tolist()
    [0.0, 0.25]
    """

    def __init__(
        self,
        target: Any,
        metrics: str | Iterable[str] = ("density", "algebraic_connectivity", "normalized_gap"),
        *,
        every: int = 1,
        optimizer: Any = None,
        path: str | os.PathLike[str] | None = None,
        log: Callable[..., Any] | None = None,
        chain: Iterable[str] | bool = False,
        example: Any = None,
        alarm_below: float = 0.1,
        on_alarm: Callable[[str], Any] | None = None,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
    ) -> None:
        self.target = target
        self.metrics = select_metrics(metrics)
        self.every = check_integer("every", every, low=1)
        self.alarms: list[tuple[int, str, str]] = []
        self._reading = Reading(include=include, exclude=exclude)
        self._journal = None if path is None else open_journal(path)
        self._log = None if log is None else logger(log)
        if chain and example is not None:
            raise InvalidParameterError(
                "give one of chain= and example=, but got both: chain= names the layers, example= reads any network"
            )
        self._chain = chain
        self._example = example
        self._alarm_below = check_real("alarm_below", alarm_below, low=0, high=1)
        self._on_alarm = on_alarm
        self._calls = 0
        self._step = -1
        self._rows: list[Row] = []
        self._layers: dict[str, LayerHistory] = {}
        self._last: dict[str, LayerBits] = {}
        self._measured: dict[str, dict[str, float]] = {}
        self._network: dict[str, float] = {}
        self._ringing: set[str] = set()
        self._audit = Audit(self._current, optimizer)
        self._snapshot()  # a target that cannot be watched is refused here, and not after an epoch
        if example is not None:
            self._read_network()

    # ------------------------------------------------------------------ in the loop

    def update(self, step: int | None = None, **values: float) -> None:
        """Look at the masks, and write down what is new.

        Parameters
        ----------
        step
            Number of the step or epoch; by default one more than at the last call.
        **values
            Further numbers for the table and the log, such as ``test_accuracy=0.97``, under the layer ``"network"``.
        """
        step = self._step + 1 if step is None else check_integer("step", step, low=0)
        self._step = step
        self._calls += 1
        if (self._calls - 1) % self.every:
            return
        numbers = _checked(values)
        now = self._snapshot()
        if self._layers and set(now) != set(self._layers):
            added, gone = sorted(set(now) - set(self._layers)), sorted(set(self._layers) - set(now))
            raise InvalidMaskError(f"the layers are others than at the first update: new {added}, gone {gone}")
        changed = []
        for name, layer in now.items():
            history = self._layers.get(name)
            if history is None:
                self._layers[name] = LayerHistory(layer)
                changed.append(name)
            elif history.advance(layer):
                changed.append(name)
        self._last = now
        if changed:
            self._measure(changed)
        self._write(step, numbers)
        self._ring(step)

    def note(self, step: int, **values: float) -> None:
        """Add numbers to an update that was written down: what a loop knows only later, such as an evaluation.

        Parameters
        ----------
        step
            That of the last update; numbers for another step are dropped.
        **values
            As for `update`.
        """
        numbers = _checked(values)
        if self._rows and step == self._rows[-1][0] and numbers:
            self._keep([(step, NETWORK, name, value) for name, value in numbers.items()])

    def trained(self) -> None:
        """Note that an optimizer took a step with the masks as they are: `audit` compares evaluations with it.

        Cheap: it looks at which masks lie on the model, not into them. Called for you where the tracker knows the
        optimizer of PyTorch, and by the callbacks.
        """
        self._audit.trained()

    def evaluated(self) -> None:
        """Note that an evaluation was done with the masks as they are."""
        self._audit.evaluated(self._step)

    # ------------------------------------------------------------------ what it knows

    def table(self) -> pd.DataFrame:
        """All that was written down: columns ``step``, ``layer``, ``metric``, ``value``.

        Metrics are those asked for and, for every layer and the network, `topograph.tracking.changes.CHANGES`. The
        layer ``"network"`` stands for all layers together.
        """
        import pandas as pd

        return tidy(pd.DataFrame(self._rows, columns=list(COLUMNS)))

    def wide(self, metric: str) -> pd.DataFrame:
        """One metric over time: one row per step, one column per layer."""
        table = self.table()
        chosen = table[table["metric"] == metric]
        if chosen.empty:
            known = ", ".join(sorted(set(table["metric"])))
            raise InvalidParameterError(f"metric must be one that is tracked, {known}, but got metric={metric!r}")
        order = [name for name in (*self._layers, NETWORK) if name in set(chosen["layer"])]
        return chosen.pivot(index="step", columns="layer", values="value")[order]

    def audit(self, optimizer: Any = None) -> pd.DataFrame:
        """Whether masks are exact, removed edges forgotten by the optimizer, and evaluations done on what was trained.

        Parameters
        ----------
        optimizer
            One of PyTorch or Keras, instead of the tracker's own.

        Returns
        -------
        pandas.DataFrame
            Columns ``check`` (``"mask"``, ``"optimizer"``, ``"evaluation"``), ``layer``, ``verdict`` (``"ok"``,
            ``"fault"``, ``"unknown"``) and ``detail``.
        """
        return self._audit.table(optimizer)

    def masks(self) -> MaskSet:
        """The masks at the last update."""
        return MaskSet({name: layer.graph for name, layer in self._last.items()})

    def callback(self, framework: str) -> Any:
        """A callback that updates this tracker after every epoch.

        Parameters
        ----------
        framework
            ``"lightning"`` for a `Trainer` of PyTorch Lightning, ``"transformers"`` for that of Hugging Face,
            ``"keras"`` for `fit`. It calls `trained` and `evaluated`, too, and logs the loss and the metrics that the
            framework gives.
        """
        return make_callback(framework, self)

    # ------------------------------------------------------------------ inside

    def _current(self) -> Any:
        """What is watched, now."""
        is_model = hasattr(self.target, "named_modules") or hasattr(self.target, "layers")
        return self.target() if callable(self.target) and not is_model else self.target

    def _snapshot(self) -> dict[str, LayerBits]:
        return take_snapshot(self._current(), self._reading)

    def _measure(self, changed: list[str]) -> None:
        graphs = {name: self._last[name].graph for name in changed}
        layered = [metric.name for metric in self.metrics if metric.needs != "chain"]
        if layered:
            table = measure(MaskSet(graphs), layered, progress=False, workers=1)
            for name in changed:
                self._measured[name] = {metric: float(table.at[name, metric]) for metric in layered}
        chain = self._chain_names() if self._example is None else []
        if self._example is not None:
            self._network = _defined(graph_records(self._read_network(), self.metrics))
        elif chain:
            kept = {name: self._last[name].graph for name in chain if name not in graphs}
            topology = Topology([graphs.get(name) or kept[name] for name in chain])
            self._network = _defined(network_records(topology, self.metrics))

    def _read_network(self) -> NetworkGraph:
        return graph_of_model(self._current(), self._example, self._reading)

    def _chain_names(self) -> list[str]:
        if isinstance(self._chain, bool):
            current = self._current() if not self._chain else None
            is_chain = isinstance(current, Topology) or (isinstance(current, MaskSet) and current.is_chain)
            return list(self._layers) if self._chain or is_chain else []
        return [name if name in self._layers else f"{name}.weight" for name in self._chain]

    def _write(self, step: int, numbers: Mapping[str, float]) -> None:
        rows: list[Row] = []
        for name, history in self._layers.items():
            values = self._measured.get(name, {}) | history.values()
            rows += [(step, name, metric, float(value)) for metric, value in values.items()]
        whole = self._network | network_values(self._layers.values()) | dict(numbers)
        rows += [(step, NETWORK, metric, float(value)) for metric, value in whole.items()]
        self._keep(rows)

    def _keep(self, rows: list[Row]) -> None:
        step = rows[0][0]
        self._rows += rows
        if self._journal is not None:
            self._journal.append(rows)
        if self._log is not None:
            self._log({f"{layer}/{metric}": value for _, layer, metric, value in rows}, step)

    def _ring(self, step: int) -> None:
        for name, history in self._layers.items():
            sentence = self._danger(name, history)
            if not sentence:
                self._ringing.discard(name)
            elif name not in self._ringing:
                self._ringing.add(name)
                self.alarms.append((step, name, sentence))
                text = f"step {step}: {name} {sentence}"
                if self._on_alarm is not None:
                    self._on_alarm(text)
                else:
                    warnings.warn(text, CollapseWarning, stacklevel=3)

    def _danger(self, name: str, history: LayerHistory) -> str:
        layer = self._last[name].layer
        if not history.edges:
            return "has no edge any more"
        if min(history.losses) > 0 and history.edges <= 1.5 * sum(history.losses):
            lost = " and ".join(str(loss) for loss in history.losses)
            return f"has {history.edges} edges after losing {lost}: none within three more updates like these"
        for side, size, isolated in zip(
            ("inputs", "outputs"), (layer.n_left, layer.n_right), history.isolated, strict=True
        ):
            if size - isolated < self._alarm_below * size:
                return f"has edges at only {size - isolated} of its {size} {side}"
        return ""

    def __repr__(self) -> str:
        return f"Tracker({len(self._layers) or 'not yet any'} layers, {len({row[0] for row in self._rows})} updates)"


def _defined(records: Iterable[Record]) -> dict[str, float]:
    return {name: value for _, name, value, _, reason in records if not reason}


def _checked(values: Mapping[str, float]) -> dict[str, float]:
    return {name: check_real(name, value, low=float("-inf")) for name, value in values.items()}
