"""`Model`: a named way to make a network for data of any shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from topograph.errors import InvalidParameterError, UnknownNameError

FRAMEWORKS = {"torch": "torch.nn.Module", "keras": "keras.Model"}
"""Framework → the class of its models, in words."""


@dataclass(frozen=True)
class Model:
    """A factory of networks.

    Parameters
    ----------
    name
        Name in the registry; ``"package.module:function"`` for one that is in none.
    summary
        One sentence that says what the network is.
    make
        ``make(shape, classes, **options)``: an untrained network for samples of this shape and so many classes. It
        takes a batch of samples ``(n, *shape)`` and gives ``(n, classes)``, before any softmax.
    framework
        ``"torch"`` or ``"keras"``; empty where only making one would tell.
    options
        Option → default.
    reference
        Source of the network.
    takes_any
        Whether options beyond these are passed on, as by a function with ``**options``.

    Raises
    ------
    InvalidParameterError
        For another framework.
    """

    name: str
    summary: str
    make: Callable[..., Any]
    framework: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    reference: str = ""
    takes_any: bool = False

    def __post_init__(self) -> None:
        if self.framework and self.framework not in FRAMEWORKS:
            raise InvalidParameterError(
                f"the framework of the model {self.name!r} must be one of {', '.join(FRAMEWORKS)}, but got "
                f"{self.framework!r}"
            )

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Refuse options that the model does not have.

        Raises
        ------
        UnknownNameError
        """
        for name in options:
            if name not in self.options and not self.takes_any:
                raise UnknownNameError.among(f"option of the model {self.name}", name, self.options)
