"""`Pruner`: a way to choose the edges of a network by its weights and its data; and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from topograph.errors import UnknownNameError
from topograph.plugins import named_plugins

if TYPE_CHECKING:
    import pandas as pd

    from trainers.pruning.edges import Keep
    from trainers.pruning.task import PruningTask

GROUP = "topograph.pruners"


@dataclass(frozen=True)
class Pruner:
    """A method that chooses which edges of a network stay.

    Parameters
    ----------
    name
        Name in the registry.
    summary
        One sentence that says which edges stay.
    formula
        Its score, in symbols: θ weights, g = ∂L/∂θ, H the Hessian, R the flow. Edges of largest score stay.
    choose
        ``choose(task)`` gives, for each layer, which of its possible edges stay.
    reference
        Source of the method.
    differences
        Where its paper and public codes disagree, and which option switches; empty where they do not.
    options
        Option → default, for what can be switched.
    needs_data
        Whether it reads training samples.
    needs_training
        Whether it trains the network.
    scopes
        The scopes it has, the published one first: ``"global"`` compares the scores of all layers, ``"layer"`` those
        within each layer.
    """

    name: str
    summary: str
    formula: str
    choose: Callable[[PruningTask], list[Keep]]
    reference: str
    differences: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    needs_data: bool = False
    needs_training: bool = False
    scopes: tuple[str, ...] = ("global", "layer")


def available_pruners() -> tuple[str, ...]:
    """Names of all registered pruners.

    Examples
    --------
    >>> available_pruners()
    ('grasp', 'imp', 'magnitude', 'phew', 'random', 'snip', 'synflow')
    """
    return tuple(sorted(named_plugins(GROUP, Pruner)))


def get_pruner(name: str | Pruner) -> Pruner:
    """Look a pruner up by name; an object passes through.

    Raises
    ------
    UnknownNameError
        When no pruner has that name.
    """
    if isinstance(name, Pruner):
        return name
    pruners = named_plugins(GROUP, Pruner)
    if name not in pruners:
        raise UnknownNameError.among("pruner", name, pruners)
    pruner: Pruner = pruners[name]
    return pruner


def describe_pruners() -> pd.DataFrame:
    """All registered pruners: one row per pruner, indexed by name.

    Columns: ``summary``, ``formula``, ``scope`` (the published one), ``needs`` (weights, data or training),
    ``options`` (with their defaults), ``differences`` and ``reference``.

    Examples
    --------
    >>> describe_pruners().loc["snip", "formula"]
    '|θ · g|'
    """
    import pandas as pd

    rows = {
        name: {
            "summary": pruner.summary,
            "formula": pruner.formula,
            "scope": pruner.scopes[0],
            "needs": "training" if pruner.needs_training else "data" if pruner.needs_data else "weights",
            "options": ", ".join(f"{option}={default!r}" for option, default in pruner.options.items()),
            "differences": pruner.differences,
            "reference": pruner.reference,
        }
        for name, pruner in sorted(named_plugins(GROUP, Pruner).items())
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("pruner")
