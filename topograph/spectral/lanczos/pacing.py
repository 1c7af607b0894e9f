"""`Pacing`: how many steps a Lanczos run takes before it looks at its certificates again."""

from __future__ import annotations


class Pacing:
    """Few steps while little is known, then as many as the progress so far suggests.

    A look at a large graph costs as much as 10⁵ edges, so there should be few of them. The steps beyond a Perron
    vector, which comes fast, only bring back copies of it.

    Parameters
    ----------
    is_perron
        Whether the run starts from a positive vector.
    is_large
        Whether a product is expensive compared with a look.
    """

    def __init__(self, is_perron: bool, is_large: bool) -> None:
        self._first = 5 if is_perron else 16
        self._least = 2 if is_perron or is_large else 4
        self.surplus = 1 if is_large else 6
        """Steps that may be taken too many where they save a pass of their own."""
        # a step, and by how many nats a certificate was missed there, at the last two looks
        self._before = self._last = (0, 0.0)

    def note(self, step: int, missing: float) -> None:
        """A look at ``step``, at which a certificate was ``missing`` by so many nats."""
        self._before, self._last = self._last, (step, missing)

    def next_chunk(self, steps: int) -> int:
        """Number of steps until the next look, after ``steps`` steps."""
        if not steps:
            return self._first
        (before, missed), (step, missing) = self._before, self._last
        longest = max(4, steps // 5)
        if before < step and missing < missed:
            return int(min(max(0.9 * missing * (step - before) / (missed - missing), self._least // 2), longest))
        return longest if self._least > 2 else 2
