"""`Compression`: a way to write a layer's matrix with fewer parameters; and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from topograph.checks import check_integer
from topograph.errors import InvalidParameterError, UnknownNameError
from topograph.plugins import named_plugins

if TYPE_CHECKING:
    import pandas as pd

GROUP = "topograph.compressions"
Floats = npt.NDArray[np.floating[Any]]


class Form(Protocol):
    """A layer's matrix, inputs × outputs, as a function of its parameters."""

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the parameter arrays; together they hold exactly the parameters that the layer has."""
        ...

    def initial(self, variance: float, generator: np.random.Generator) -> list[Floats]:
        """Normal draws such that every entry of the matrix has mean 0 and this variance."""
        ...

    def dense(self, parameters: Sequence[Any]) -> Any:
        """The matrix, from PyTorch tensors."""
        ...

    def product(self, x: Any, parameters: Sequence[Any]) -> Any:
        """Samples in rows times the matrix."""
        ...


@dataclass(frozen=True)
class Compression:
    """A family of forms.

    Parameters
    ----------
    name
        Name in the registry.
    summary
        One sentence that defines the matrix.
    least
        Fewest parameters that the form has, for a number of inputs and of outputs.
    make
        Form for numbers of inputs, of outputs and of parameters, and a generator of whatever is fixed by chance.
    reference
        Source of the family.
    """

    name: str
    summary: str
    least: Callable[[int, int], int]
    make: Callable[[int, int, int, np.random.Generator], Form]
    reference: str

    def build(self, n: int, m: int, budget: int, seed: int | np.random.Generator = 0) -> Form:
        """The form with the most parameters within the budget.

        Parameters
        ----------
        n, m
            Numbers of inputs and of outputs.
        budget
            Largest number of parameters.
        seed
            Seed, or generator, of whatever the form fixes by chance.

        Raises
        ------
        InvalidParameterError
            For a budget below the fewest parameters that the form can have, or above n · m.
        """
        n, m = check_integer("n", n, low=1), check_integer("m", m, low=1)
        budget, least = check_integer("budget", budget, low=1), self.least(n, m)
        if budget > n * m:
            raise InvalidParameterError(
                f"a dense layer {n} × {m} has {n * m} parameters: give at most as many, but got budget={budget}"
            )
        if budget < least:
            raise InvalidParameterError(
                f"{self.name} of a layer {n} × {m} has at least {least} parameters, but got budget={budget}"
            )
        return self.make(n, m, budget, np.random.default_rng(seed))


def n_parameters(form: Form) -> int:
    """Number of parameters that a form really has."""
    return sum(int(np.prod(shape, dtype=np.int64)) for shape in form.shapes)


def available_compressions() -> tuple[str, ...]:
    """Names of all registered compressions.

    Examples
    --------
    >>> available_compressions()
    ('circulant', 'hashed', 'low_rank', 'tensor_train')
    """
    return tuple(sorted(named_plugins(GROUP, Compression)))


def get_compression(name: str) -> Compression:
    """Look a compression up by name.

    Raises
    ------
    UnknownNameError
        When no compression has that name.

    Examples
    --------
    >>> n_parameters(get_compression("low_rank").build(784, 300, budget=23_520))
    22764
    """
    compressions = named_plugins(GROUP, Compression)
    if name not in compressions:
        raise UnknownNameError.among("compression", name, compressions)
    compression: Compression = compressions[name]
    return compression


def describe_compressions() -> pd.DataFrame:
    """All registered compressions: one row per compression, indexed by name, with ``summary`` and ``reference``."""
    import pandas as pd

    rows = {
        name: {"summary": compression.summary, "reference": compression.reference}
        for name, compression in sorted(named_plugins(GROUP, Compression).items())
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("compression")
