"""`ModelSpec`: a model by name, with the options that differ from its defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from topograph.checks import check_text
from topograph.errors import InvalidParameterError
from trainers.models.model import Model
from trainers.models.registry import get_model

if TYPE_CHECKING:
    from trainers.datasets import Dataset


@dataclass(frozen=True, repr=False)
class ModelSpec:
    """A model and its options: the recipe of a network, for data of any shape.

    Parameters
    ----------
    name
        Name of a registered model, or ``"package.module:function"``.
    options
        Pairs of option and value, or a mapping; kept in the order of their names, lists as tuples.

    Raises
    ------
    InvalidParameterError
        For a name that is not a word, or options that cannot be hashed.

    Examples
    --------
    >>> spec = ModelSpec("lstm", {"hidden": 64})
    >>> spec.label, spec == ModelSpec.from_record(spec.to_record()), spec.framework
    ('lstm(hidden=64)', True, 'torch')
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if not check_text("the name of a model", self.name):
            raise InvalidParameterError("the name of a model is empty: give one of trainers.models.available_models()")
        given: Any = self.options
        try:
            pairs = dict(given.items() if isinstance(given, Mapping) else given)
            options = tuple(sorted((check_text("an option", name), _fixed(value)) for name, value in pairs.items()))
            hash(options)
        except (TypeError, ValueError) as error:
            raise InvalidParameterError(
                f"the options of the model {self.name!r} must be pairs of a name and a number, text or list of these, "
                f"but got {given!r}"
            ) from error
        object.__setattr__(self, "options", options)

    @classmethod
    def of(cls, model: ModelSpec | Model | str, **options: Any) -> ModelSpec:
        """A model by name, with options; a spec passes through, with these options changed."""
        if isinstance(model, ModelSpec):
            return cls(model.name, tuple({**dict(model.options), **options}.items()))
        return cls(model.name if isinstance(model, Model) else model, tuple(options.items()))

    @property
    def label(self) -> str:
        """The name, with the options that were given."""
        words = ", ".join(f"{name}={_plain(value)}" for name, value in self.options)
        return f"{self.name}({words})" if words else self.name

    @property
    def framework(self) -> str:
        """``"torch"`` or ``"keras"``; empty for a function, where only making one would tell.

        Raises
        ------
        UnknownNameError, PluginError
        """
        return get_model(self.name).framework

    def build(self, data: Dataset | Sequence[int], classes: int | None = None, seed: int = 0) -> Any:
        """An untrained network. Its initial weights depend on the seed alone; no global random state is changed.

        Parameters
        ----------
        data
            A data set, or the shape of a sample.
        classes
            Number of classes; by default the data set's.
        seed
            Seed of the initial weights.

        Returns
        -------
        torch.nn.Module or keras.Model
            It takes a batch ``(n, *shape)`` and gives ``(n, classes)``, before any softmax.

        Raises
        ------
        UnknownNameError
            For a model, or an option, that does not exist.
        InvalidModelError
            When the factory fails, returns something that is not such a model, or one whose output does not fit the
            classes: the message names the model.
        MissingDependencyError
            When its framework is not installed.
        """
        from trainers.models.building import build_model

        return build_model(self, data, classes, seed)

    def to_record(self) -> dict[str, Any]:
        """Name and options as a plain dictionary, ready for JSON: ``{"name": "lstm", "hidden": 64}``."""
        return {"name": self.name, **{name: _listed(value) for name, value in self.options}}

    @classmethod
    def from_record(cls, record: Mapping[str, Any] | str) -> ModelSpec:
        """The inverse of `to_record`; a name alone is a model with its defaults."""
        if isinstance(record, str):
            return cls(record)
        if not isinstance(record, Mapping) or "name" not in record:
            raise InvalidParameterError(f"a model is a name, or a table with name = and its options, not {record!r}")
        options = {name: value for name, value in record.items() if name != "name"}
        return cls(record["name"], tuple(options.items()))

    def __repr__(self) -> str:
        return f"ModelSpec({self.label})"


def _fixed(value: Any) -> Any:
    return tuple(_fixed(item) for item in value) if isinstance(value, (list, tuple)) else value


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple) else value


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else str(_listed(value))
