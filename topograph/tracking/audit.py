"""`Audit`: whether masks are exact, removed edges forgotten, and evaluations done on the masks that were trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from topograph.masks.live import Mask, ModelKind, kind_of

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("check", "layer", "verdict", "detail")
Finding = tuple[str, str, str, str]


class Audit:
    """What is noted while a model trains, and what can be looked up in it.

    Parameters
    ----------
    target
        Gives what is watched.
    optimizer
        The optimizer, if it is known.
    """

    def __init__(self, target: Callable[[], Any], optimizer: Any = None) -> None:
        self._target = target
        self._optimizer = optimizer
        self._trained: dict[str, Any] | None = None
        self._evaluations: list[tuple[int, list[str]]] = []
        if hasattr(optimizer, "register_step_post_hook"):
            optimizer.register_step_post_hook(lambda *_: self.trained())

    def trained(self) -> None:
        """An optimizer took a step with the masks that are there now."""
        self._trained = self._signature()

    def evaluated(self, step: int) -> None:
        """An evaluation is done with the masks that are there now."""
        now = self._signature()
        if self._trained is not None and now is not None:
            changed = [name for name in {*now, *self._trained} if now.get(name) != self._trained.get(name)]
            self._evaluations.append((step, sorted(changed)))

    def table(self, optimizer: Any = None) -> pd.DataFrame:
        """All findings."""
        import pandas as pd

        optimizer = self._optimizer if optimizer is None else optimizer
        findings = [*self._exactness(), *self._memory(optimizer), *self._evaluated()]
        return pd.DataFrame(findings, columns=list(COLUMNS))

    # ------------------------------------------------------------------ inside

    def _kind(self) -> tuple[ModelKind | None, Any]:
        target = self._target()
        return kind_of(target), target

    def _signature(self) -> dict[str, Any] | None:
        """Name → what tells one mask from another without reading it; None where no masks lie on the target."""
        kind, target = self._kind()
        if kind is None or kind.imposed is None:
            return None
        return {name: imposed.version for name, imposed in kind.imposed(target).items()}

    def _exactness(self) -> Iterator[Finding]:
        kind, target = self._kind()
        imposed = kind.imposed(target) if kind is not None and kind.imposed is not None else {}
        if not imposed:
            yield "mask", "", "unknown", "no mask lies on what is watched: every weight that is not 0 counts as an edge"
        for name, weight in imposed.items():
            mask, values = weight.mask(), weight.values()
            outside = int(np.count_nonzero(values[~mask]))
            if outside:
                yield "mask", name, "fault", f"{outside} weights are not 0 where the mask has no edge"
            else:
                yield "mask", name, "ok", f"0 at all {int(mask.size - np.count_nonzero(mask))} weights without an edge"

    def _memory(self, optimizer: Any) -> Iterator[Finding]:
        kind, target = self._kind()
        if optimizer is None or kind is None or kind.imposed is None:
            yield "optimizer", "", "unknown", "no optimizer was given, or no model; pass audit(optimizer)"
            return
        imposed = kind.imposed(target)
        for name, weight in imposed.items():
            slots = weight.slots(optimizer)
            if not slots:
                yield "optimizer", name, "unknown", "the optimizer keeps nothing for this weight yet"
                continue
            remembered = _outside(slots, weight.mask())
            if remembered:
                yield "optimizer", name, "fault", f"remembers what was removed: {'; '.join(remembered)}"
            else:
                yield "optimizer", name, "ok", f"{', '.join(slots)}: 0 where there is no edge"

    def _evaluated(self) -> Iterator[Finding]:
        if not self._evaluations:
            detail = "no evaluation was noted after a step; call trained() and evaluated(), or use a callback"
            yield "evaluation", "", "unknown", detail
        for step, changed in self._evaluations:
            if changed:
                names = ", ".join(changed)
                yield "evaluation", names, "fault", f"step {step}: the masks changed after the last training step"
        if self._evaluations and not any(changed for _, changed in self._evaluations):
            yield "evaluation", "", "ok", f"{len(self._evaluations)} evaluations, all on the masks that were trained"


def _outside(slots: dict[str, Any], mask: Mask) -> list[str]:
    words = []
    for slot, values in slots.items():
        if values.shape == mask.shape:
            outside = np.abs(values[~mask])
            if outside.any():
                words.append(
                    f"{slot} has {int(np.count_nonzero(outside))} numbers there, up to {float(outside.max()):.3g}"
                )
    return words
