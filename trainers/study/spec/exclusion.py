"""`Exclusion`: a rule that leaves combinations out of a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainers.config import TrainingConfig
from trainers.models import ModelSpec
from trainers.study.spec.axes import AXES, SETTINGS, Wanted, in_plural, read_axis
from trainers.study.spec.faults import Path, SpecFault, at, check_keys
from trainers.study.spec.model_recipe import ModelRecipe
from trainers.study.spec.records import AnyRecipe
from trainers.study.spec.values import expand

_DEFAULTS = TrainingConfig().to_record()


class Exclusion:
    """Leaves out the points that agree with every key of an ``[[exclude]]``.

    Parameters
    ----------
    content
        Axis or training setting → one value, or several of which any may agree.
    path
        Its place in the specification.
    """

    def __init__(self, content: Any, path: Path) -> None:
        if not isinstance(content, Mapping) or not content:
            raise SpecFault("must be a table that says which combinations to leave out", path)
        content = in_plural(content, path)
        check_keys(content, (*AXES, *SETTINGS), path)
        self.path = path
        self.hits = 0
        self._accepted: dict[str, tuple[Any, ...]] = {}
        for key, value in content.items():
            with at((*path, key)):
                self._accepted[key] = read_axis(key, value, (*path, key)) if key in AXES else tuple(expand(value))

    def __call__(self, choice: Mapping[str, Any]) -> bool:
        """Whether a combination is left out."""
        hit = all(any(_agrees(key, value, choice) for value in values) for key, values in self._accepted.items())
        self.hits += hit
        return hit


def _agrees(key: str, value: Any, choice: Mapping[str, Any]) -> bool:
    recipe: AnyRecipe = choice["recipe"]
    if key == "constructions":
        return recipe.construction == value.name and set(value.options) <= set(recipe.options)
    if key == "variants":
        return bool(recipe.variant == value)
    if key == "models":
        model: ModelSpec | None = choice.get("models")
        return model is not None and model.name == value.name and set(value.options) <= set(model.options)
    if key == "allocations":
        return isinstance(recipe, ModelRecipe) and bool(recipe.allocation == value)
    if key in ("degrees", "densities"):
        wanted: Wanted | None = choice["wanted"]
        if isinstance(recipe, ModelRecipe):
            return wanted is not None and bool(wanted == value) and recipe.construction != "dense"
        pairs = len(recipe.sizes) - 1
        if recipe.degrees is None or wanted is None:
            return False
        found = recipe.degrees if key == "degrees" else wanted.each(pairs) if wanted.kind == key else None
        return bool(found == value.each(pairs))
    return bool(choice.get(key, _DEFAULTS.get(key)) == value)
