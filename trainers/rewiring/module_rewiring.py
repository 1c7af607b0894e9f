"""`ModuleRewiring`: a rule for any PyTorch model, in anybody's training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from topograph.checks import check_integer
from topograph.errors import ConformanceError, InvalidParameterError, UnknownNameError, UnsupportedSettingError
from topograph.graph import BipartiteGraph
from topograph.masks.live import kind_of
from topograph.masks.maskset import MaskSet
from trainers.config import TrainingConfig
from trainers.initialization import rewiring_generator
from trainers.rewiring.carried import Carried
from trainers.rewiring.changing import change_layer
from trainers.rewiring.layer import Floats, Integers
from trainers.rewiring.recording import metric_names, record_change
from trainers.rewiring.rule import NONE, read_options
from trainers.rewiring.schedule import RewiringSchedule

if TYPE_CHECKING:
    from trainers.rewiring.module_layer import ModuleLayer

Fresh = Callable[[np.random.Generator, int, int, int], Floats]
_SETTINGS = ("rewiring", "rewire_every", "rewire_share", "rewire_until", "rewire_options", "epochs", "seed")


class ModuleRewiring:
    r"""The masks of a PyTorch model, changed by a rule while anybody's loop trains it.

    Call `step` after ``loss.backward()``; where it says so, the optimizer then takes its step::

        rewiring = ModuleRewiring(model, masks, config, steps_per_epoch=len(loader))
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            if rewiring.step(optimizer):
                optimizer.step()

    Edges that stay keep their weights and what the optimizer remembers of them, to the bit; for those that go or come
    it is 0, as are the gradients of this batch. Every layer of the masks keeps its number of edges: a gate of a
    recurrent layer or a head of an attention projection is a layer of its own, as in `topograph.load`, and the groups
    of a convolution are one layer whose edges join no two groups. Weights in the same memory change together.

    Rules read the gradient that lies in ``.grad`` when `step` is called: of micro-batches that were summed, of all
    processes in ``DistributedDataParallel``, clipped or unscaled where that came first. For RigL and SRigL the mask
    lets it through at edges that are not there, on the batches of a change and on no others.

    Parameters
    ----------
    model
        The model, a ``torch.nn.Module``. The masks are put on it.
    masks
        One graph per layer, such as `topograph.MaskSet.build` makes; of a convolution the kernel unfolding.
    config
        ``rewiring``, ``rewire_every``, ``rewire_share``, ``rewire_until``, ``rewire_options``, ``rewire_metrics``,
        ``epochs`` and ``seed``; other settings are the loop's own.
    steps_per_epoch
        Number of calls of `step` between two evaluations, at least 2. A change never comes at the last of them, but one
        step later, so that no evaluation sees edges that were not trained with.
    outputs
        Names of the layers whose outputs are the network's, which SRigL never ablates; by default the last one.
    fresh
        ``fresh(generator, count, fan_in, fan_out)``: weights of new edges, for rules that draw them; by default uniform
        in :math:`\pm 1 / \sqrt{\text{fan\_in}}` with the fan-in of the dense layer, with which PyTorch's linear layers
        and convolutions begin.

    Raises
    ------
    InvalidParameterError
        For what is not a PyTorch model, and for weights that are computed by other parametrizations or are sparse.
    UnsupportedSettingError
        Without a rule, and for a graph of a convolution's channels.
    UnknownNameError, TopologyMismatchError
        When the masks do not fit the model, which is then unchanged.

    Examples
    --------
    >>> import torch, topograph as tg
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.Flatten(), torch.nn.Linear(288, 4))
    >>> masks = tg.MaskSet.build(model, "erdos_renyi", density=0.2, allocation="erk", seed=0)
    >>> config = TrainingConfig(rewiring="set", rewire_every=1, epochs=1, seed=0)
    >>> rewiring = ModuleRewiring(model, masks, config, steps_per_epoch=4)
    >>> optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    >>> for _ in range(4):
    ...     optimizer.zero_grad()
    ...     model(torch.ones(2, 1, 8, 8)).square().mean().backward()
    ...     if rewiring.step(optimizer):
    ...         optimizer.step()
    >>> [graph.n_edges for graph in rewiring.masks.values()] == [graph.n_edges for graph in masks.values()]
    True
    >>> rewiring.record()["turnover"] > 0
    True
    """

    def __init__(
        self,
        model: Any,
        masks: Mapping[str, BipartiteGraph],
        config: TrainingConfig,
        *,
        steps_per_epoch: int,
        outputs: Iterable[str] | None = None,
        fresh: Fresh | None = None,
    ) -> None:
        if config.rewiring == NONE:
            raise UnsupportedSettingError("config has rewiring='none': name a rule, such as rewiring='rigl'")
        kind = kind_of(model)
        if kind is None or kind.name != "torch":
            raise InvalidParameterError(
                f"the edges of a torch.nn.Module can be rewired while it trains, but got {type(model).__name__}"
            )
        from trainers.rewiring.module_layer import put_on

        self._config, self._steps = config, check_integer("steps_per_epoch", steps_per_epoch, low=2)
        self.schedule = RewiringSchedule.of(config, self._steps)
        self._options = read_options(self.schedule.rule, config.rewire_options)
        self._last = _outputs(outputs, masks)
        self._layers: dict[str, ModuleLayer] = put_on(model, masks)
        self._fresh = fresh or _uniform
        self._step = 0
        self._before = self.masks

    @property
    def masks(self) -> MaskSet:
        """The edges that the model has now."""
        return MaskSet({name: layer.graph() for name, layer in self._layers.items()})

    @property
    def is_due(self) -> bool:
        """Whether the next call of `step` changes the edges."""
        due = self.schedule.is_due
        postponed = self._is_last(self._step - 1) and due(self._step - 1)
        return postponed or (due(self._step) and not self._is_last(self._step))

    def step(self, *optimizers: Any) -> bool:
        """Change the edges where that is due; whether the optimizer is to take its step on this batch.

        With rules such as RigL a change takes the place of a step, as published. A batch whose gradient is missing or
        not finite changes nothing.

        Parameters
        ----------
        *optimizers
            All that train the masked weights.

        Raises
        ------
        InvalidParameterError
            When no optimizer trains a masked weight, or one remembers something that cannot be forgotten by the edge.
        ConformanceError
            When the rule's answer is impossible: the message names the rule and the layer. The model is then unchanged.
        """
        trains = True
        if self._step == 0 or self.is_due:
            for layer in self._layers.values():
                layer.check_optimizers(optimizers)
        if self.is_due:
            carried = self._changes()
            for name, layer in self._layers.items():
                if name in carried:
                    layer.carry(carried[name], optimizers)
                else:
                    layer.mask_gradient()
            trains = not (carried and self.schedule.rule.spends_batch)
        self._step += 1
        self._open()
        return trains

    def record(self) -> dict[str, float]:
        """Since the last call: ``turnover``, the share of edges that are new, in all and as ``<layer>_turnover``; and
        ``<layer>_<metric>`` for each of ``rewire_metrics``.
        """  # noqa: D205
        masks = self.masks
        names = list(masks)
        values = record_change(names, self._before.values(), masks.values(), metric_names(self._config), masks)
        self._before = masks
        return values

    def state_dict(self) -> dict[str, Any]:
        """All that resuming needs beside the model's and the optimizer's own."""
        settings = {name: getattr(self._config, name) for name in _SETTINGS}
        return {"step": self._step, "steps_per_epoch": self._steps, **settings}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another rewiring was; the masks are those of the model, whose state is to be loaded first.

        Raises
        ------
        InvalidParameterError
            When the state belongs to other settings; the message names them.
        """
        own = self.state_dict()
        if set(state) != set(own):
            raise InvalidParameterError(f"state must have {', '.join(own)}, but got {', '.join(map(str, state))}")
        for name in own:
            if name != "step" and state[name] != own[name]:
                raise InvalidParameterError(
                    f"the state was saved with {name}={state[name]!r}, but this rewiring has {name}={own[name]!r}"
                )
        self._step = check_integer("step", state["step"], low=0)
        self._before = self.masks
        self._open()

    def _is_last(self, step: int) -> bool:
        return step % self._steps == self._steps - 1

    def _open(self) -> None:
        """Let the next batch's gradient through the masks, if the rule will read it where there is no edge."""
        opens = self.is_due and self.schedule.rule.reads_dense
        for layer in self._layers.values():
            layer.open(opens)

    def _changes(self) -> dict[str, Carried]:
        """What every layer's edges become; nothing where a gradient that the rule reads is not finite."""
        share, rule = self.schedule.share_at(self._step), self.schedule.rule
        carried = {}
        for number, (name, layer) in enumerate(self._layers.items()):
            graph, generator = layer.graph(), rewiring_generator(self._config, self._step, number)
            try:
                carried[name] = change_layer(
                    rule, graph, layer.weights(graph), share, generator, self._options,
                    _Reading(layer, rule.reads_dense, f"the rewiring {rule.name!r}"),
                    _Drawing(layer, generator, self._fresh), name in self._last, layer.groups, name=f"in {name}",
                )  # fmt: skip
            except _NoGradientError:
                return {}
        return carried


class _NoGradientError(ArithmeticError):
    """A gradient is missing or not finite."""


@dataclass(frozen=True)
class _Reading:
    """Gives a layer's gradient; itself a `Gradient`."""

    layer: ModuleLayer
    reads_dense: bool
    rule: str

    def __call__(self) -> _Reading:
        return self

    def dense(self) -> Floats:
        if not self.reads_dense:
            raise ConformanceError(f"{self.rule} says reads_dense=False, but reads the dense gradient; say True")
        return _finite(self.layer.dense_gradient())

    def at_edges(self, graph: BipartiteGraph) -> Floats:
        return _finite(self.layer.edge_gradient(graph))


@dataclass(frozen=True)
class _Drawing:
    """Draws initial weights of a layer's new edges."""

    layer: ModuleLayer
    generator: np.random.Generator
    fresh: Fresh

    def __call__(self, pairs: Integers) -> Floats:
        return np.asarray(self.fresh(self.generator, len(pairs), self.layer.fan_in, self.layer.fan_out))


def _finite(gradient: Floats | None) -> Floats:
    if gradient is None or not np.isfinite(gradient).all():
        raise _NoGradientError
    return gradient


def _uniform(generator: np.random.Generator, count: int, fan_in: int, fan_out: int) -> Floats:
    bound = fan_in**-0.5
    return generator.uniform(-bound, bound, count)


def _outputs(outputs: Iterable[str] | None, masks: Mapping[str, BipartiteGraph]) -> set[str]:
    names = list(masks)
    if outputs is None:
        return set(names[-1:])
    chosen = {outputs} if isinstance(outputs, str) else set(outputs)
    for name in chosen - set(names):
        raise UnknownNameError.among("layer", name, names)
    return chosen
