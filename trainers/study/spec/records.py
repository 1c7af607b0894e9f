"""Recipes of chains and of models from their records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainers.study.spec.model_recipe import ModelRecipe
from trainers.study.spec.recipe import Recipe

AnyRecipe = Recipe | ModelRecipe
"""How a topology, or the masks of a model, are made."""


def recipe_from_record(record: Mapping[str, Any]) -> AnyRecipe:
    """The recipe that a record was made from.

    Examples
    --------
    >>> recipe = Recipe("random_regular", (64, 30, 10), (4, 10), seed=0)
    >>> recipe_from_record(recipe.to_record()) == recipe
    True
    """
    return ModelRecipe.from_record(record) if "model" in record else Recipe.from_record(record)
