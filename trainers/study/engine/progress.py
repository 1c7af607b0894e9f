"""`Progress`: a progress bar for a study."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from tqdm import tqdm  # as text in notebooks, too: a widget is saved as the 0 % it began with


class Progress:
    """A bar with networks per hour, the time left, failures and the best accuracy; hidden where nobody watches.

    Parameters
    ----------
    name
        Name of the study.
    total
        Number of networks to train.
    cost
        Cost of all of them: the longest come first, so that their number alone would mislead.
    best
        Best accuracy so far.
    show
        Whether to show the bar; None shows it only in terminals and notebooks.
    """

    def __init__(self, name: str, total: int, cost: float, best: float = math.nan, show: bool | None = None) -> None:
        show = watched() if show is None else show
        self._cost, self._done_cost, self._done, self._failed, self._best = cost, 0.0, 0, 0, best
        self._started = time.monotonic()
        self._bar: Any = tqdm(
            total=total,
            desc=name,
            unit="network",
            disable=not show or not total,
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]",
        )

    def update(self, cost: float, failed: bool, accuracy: float) -> None:
        """Count one more network as ended."""
        self._done += 1
        self._done_cost += cost
        self._failed += failed
        self._best = accuracy if not self._best >= accuracy and not math.isnan(accuracy) else self._best
        if not self._bar.disable:
            self._bar.set_postfix_str(self.words(), refresh=False)
            self._bar.update()

    def words(self) -> str:
        """The text beside the bar."""
        elapsed = max(time.monotonic() - self._started, 1e-9)
        left = elapsed * max(0.0, self._cost - self._done_cost) / self._done_cost if self._done_cost else math.nan
        parts = [f"{3600 * self._done / elapsed:,.0f} networks/h", f"{duration(left)} left"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        if not math.isnan(self._best):
            parts.append(f"best {self._best:.4f}")
        return ", ".join(parts)

    def close(self) -> None:
        """Stop drawing, and leave the bar as it is."""
        self._bar.close()


def watched() -> bool:
    """Whether somebody can see a moving bar: in a terminal or a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def duration(seconds: float) -> str:
    """A time in words.

    Examples
    --------
    >>> duration(42), duration(200), duration(10_000), duration(400_000), duration(math.nan)
    ('42 s', '3 min', '2.8 h', '4.6 days', '?')
    """
    if math.isnan(seconds):
        return "?"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
