"""Whether the trainers of a study train its models."""

from __future__ import annotations

from topograph.errors import SpecError
from trainers.registry import available_trainers, get_trainer
from trainers.study.spec import ModelRecipe, StudySpec


def check_trainers_of_models(spec: StudySpec) -> None:
    """Refuse trainers that do not train models, and models of another framework than their trainer's.

    Raises
    ------
    SpecError
        With the names of the trainer and of the model.
    """
    pairs = ((point.trainer, point.recipe.model) for point in spec.points if isinstance(point.recipe, ModelRecipe))
    for name, model in dict.fromkeys(pairs):
        trainer = get_trainer(name)
        if not hasattr(trainer, "train_model"):
            raise SpecError(
                f"[grid] trainers: the trainer {name!r} trains chains of dense layers only, not the model "
                f"{model.label}; trainers of models have a method train_model: {_trainers_of_models()}"
            )
        framework = getattr(trainer, "framework", "")
        if model.framework and framework and model.framework != framework:
            raise SpecError(
                f"[grid] models: {model.label} is a model of {model.framework}, but the trainer {name!r} trains models "
                f"of {framework}; give each pair that fits a [[grid]] of its own"
            )


def _trainers_of_models() -> str:
    names = [name for name in available_trainers() if _trains_models(name)]
    return ", ".join(map(repr, names)) or "none is installed"


def _trains_models(name: str) -> bool:
    try:
        return hasattr(get_trainer(name), "train_model")
    except Exception:  # one that is not installed, or somebody else's that cannot be made
        return False
