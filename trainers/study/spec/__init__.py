"""What a study asks for: the specification, its grids and exclusions, and the recipe of each topology."""

from trainers.study.spec.grid import Point
from trainers.study.spec.model_recipe import ModelRecipe
from trainers.study.spec.recipe import Recipe
from trainers.study.spec.records import AnyRecipe, recipe_from_record
from trainers.study.spec.study_spec import DEFAULT_METRICS, StudySpec
from trainers.study.spec.variants import Variant

__all__ = [
    "DEFAULT_METRICS",
    "AnyRecipe",
    "ModelRecipe",
    "Point",
    "Recipe",
    "StudySpec",
    "Variant",
    "recipe_from_record",
]
