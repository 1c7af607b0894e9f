"""`RewiringRule`: how a network's edges change while it trains; and the registry of all rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from topograph.errors import InvalidParameterError, UnknownNameError
from topograph.plugins import named_plugins

if TYPE_CHECKING:
    import pandas as pd

    from trainers.rewiring.layer import Change, LayerState

GROUP = "topograph.rewirings"
NONE = "none"
"""The setting ``rewiring`` of networks whose edges stay."""


@dataclass(frozen=True)
class RewiringRule:
    """A rule that replaces some edges of each layer by as many others.

    Parameters
    ----------
    name
        Name in the registry.
    summary
        One sentence that says which edges go and which come.
    change
        ``change(layer)`` gives the edges that go and those that come, for one layer that is not dense.
    reference
        Source of the rule.
    differences
        Where its paper and public codes disagree, and which option switches.
    every
        Number of steps between two changes, where ``rewire_every`` is not given; None for an epoch.
    until
        Share of the training after which nothing changes, where ``rewire_until`` is not given.
    decays
        Whether the share that is replaced falls as (1 + cos(π t / T)) / 2 up to the last change, instead of being
        constant.
    spends_batch
        Whether a change takes the place of a step: its batch gives the gradient, and no weight is trained on it.
    reads_dense
        Whether it reads ``layer.dense_gradient``. Models compute that only where a rule says so.
    options
        Option → default; ``rewire_options`` changes them.
    """

    name: str
    summary: str
    change: Callable[[LayerState], Change]
    reference: str
    differences: str = ""
    every: int | None = None
    until: float = 1.0
    decays: bool = False
    spends_batch: bool = False
    reads_dense: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)


def available_rewirings() -> tuple[str, ...]:
    """Names of all registered rules.

    Examples
    --------
    >>> available_rewirings()
    ('cht', 'mest', 'rigl', 'set', 'srigl')
    """
    return tuple(sorted(named_plugins(GROUP, RewiringRule)))


def get_rewiring(name: str) -> RewiringRule:
    """Look a rule up by name.

    Raises
    ------
    UnknownNameError
        When no rule has that name.
    """
    rules = named_plugins(GROUP, RewiringRule)
    if name not in rules:
        raise UnknownNameError.among("rewiring", name, (NONE, *rules))
    rule: RewiringRule = rules[name]
    return rule


def read_options(rule: RewiringRule, text: str) -> dict[str, Any]:
    """The options of a rule, with those changed that a text such as ``"gamma=0.5, again=false"`` names.

    Raises
    ------
    UnknownNameError
        For an option that the rule does not have.
    InvalidParameterError
        For a value of another kind than the default's.

    Examples
    --------
    >>> read_options(get_rewiring("rigl"), "again=false")
    {'again': False}
    """
    options = dict(rule.options)
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in options:
            raise UnknownNameError.among(f"option of {rule.name}", name, options)
        default = options[name]
        try:
            if not equals:
                raise ValueError
            options[name] = {"true": True, "false": False}[value.lower()] if isinstance(default, bool) else float(value)
        except (ValueError, KeyError):
            kind = "true or false" if isinstance(default, bool) else "a number"
            raise InvalidParameterError(
                f"rewire_options must be such as '{name}={str(default).lower()}', {kind}, but got {part!r}"
            ) from None
    return options


def describe_rewirings() -> pd.DataFrame:
    """All registered rules: one row per rule, indexed by name.

    Columns: ``summary``, ``every`` and ``until`` (their published values), ``options``, ``differences``, ``reference``.

    Examples
    --------
    >>> describe_rewirings().loc["rigl", "every"]
    '100 steps'
    """
    import pandas as pd

    rows = {
        name: {
            "summary": rule.summary,
            "every": "epoch" if rule.every is None else f"{rule.every} steps",
            "until": rule.until,
            "options": ", ".join(f"{option}={default!r}" for option, default in rule.options.items()),
            "differences": rule.differences,
            "reference": rule.reference,
        }
        for name, rule in sorted(named_plugins(GROUP, RewiringRule).items())
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("rewiring")
