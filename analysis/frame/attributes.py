"""`Shared`: what is said about a frame in its attributes, without a copy at every step."""

from __future__ import annotations

from typing import Any, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Shared(dict[Key, Value]):
    """A dict that is its own deep copy.

    pandas copies a frame's attributes deeply whenever it takes a column. A study's record of itself and the reasons of
    thousands of undefined values would cost more than the statistics. Nothing changes a `Shared` once it is made.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"gap": [0.1]})
    >>> frame.attrs["reasons"] = Shared(gap=["not connected"])
    >>> frame["gap"].attrs["reasons"] is frame.attrs["reasons"]
    True
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> Shared[Key, Value]:
        return self
