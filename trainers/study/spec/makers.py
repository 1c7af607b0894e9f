"""What makes a topology in a study: a construction, or a pruner, which stand in one list under ``constructions``."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from topograph.constructions import available_constructions, get_construction
from topograph.errors import UnknownNameError
from trainers.config import TrainingConfig
from trainers.pruning.pruner import available_pruners, get_pruner

_WEIGHTS = ("initialization", "fans", "dtype")
_GRADIENTS = (*_WEIGHTS, "activation", "output_activation", "loss")
_NOT_WHILE_PRUNING = ("seed", "initial_draws", "dropout_draws")


def is_pruner(name: str) -> bool:
    """Whether a name is that of a pruner; a construction of the same name comes first.

    Raises
    ------
    UnknownNameError
        When it is neither.

    Examples
    --------
    >>> is_pruner("snip"), is_pruner("erdos_renyi")
    (True, False)
    """
    if name in available_constructions():
        return False
    if name not in available_pruners():
        raise UnknownNameError.among("construction", name, (*available_constructions(), *available_pruners()))
    return True


def options_of(name: str) -> Collection[str]:
    """Names of the options of a construction or a pruner."""
    return (*get_pruner(name).options, "scope", "allocation") if is_pruner(name) else get_construction(name).options


def takes_real_degrees(name: str) -> bool:
    """Whether degrees need not be whole numbers: a pruner takes the edges that they make together."""
    return is_pruner(name) or get_construction(name).real_degree


def is_drawn(name: str) -> bool:
    """Whether the topology's seed matters: a pruner's is that of the initial weights, samples and draws."""
    return is_pruner(name) or get_construction(name).random


def scope_of(name: str, options: Mapping[str, object]) -> str:
    """Whether a pruner compares scores of all layers (``"global"``) or those within each (``"layer"``).

    Examples
    --------
    >>> scope_of("snip", {}), scope_of("snip", {"scope": "layer"})
    ('global', 'layer')
    """
    return str(options.get("scope", get_pruner(name).scopes[0]))


def settings_that_matter(name: str, config: TrainingConfig) -> dict[str, object]:
    """The settings, where they are not defaults, by which a pruner's choice is determined, besides the seed."""
    pruner, defaults = get_pruner(name), TrainingConfig().to_record()
    changed = {key: value for key, value in config.to_record().items() if value != defaults[key]}
    if pruner.needs_training or "train" in pruner.options:
        return {
            key: value
            for key, value in changed.items()
            if key not in _NOT_WHILE_PRUNING and not key.startswith(("rewir", "patience"))
        }
    wanted = _GRADIENTS if pruner.needs_data else _WEIGHTS
    return {key: value for key, value in changed.items() if key in wanted}
