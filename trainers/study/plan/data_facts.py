"""`DataFacts`: what planning needs to know about a data set, without its samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from topograph.errors import SpecError
from trainers.datasets import load_dataset
from trainers.study.spec import Recipe, StudySpec


@dataclass(frozen=True)
class DataFacts:
    """What planning needs to know about a data set.

    Parameters
    ----------
    content_hash
        Hash of all samples and labels.
    n_train, n_features, n_classes
        Number of training samples, of features and of classes.
    """

    content_hash: str
    n_train: int
    n_features: int
    n_classes: int

    @classmethod
    def of(cls, name: str) -> DataFacts:
        """Load a data set by name and describe it."""
        data = load_dataset(name)
        return cls(data.content_hash, len(data.x_train), data.n_features, data.n_classes)


def describe_data(spec: StudySpec) -> dict[str, DataFacts]:
    """The facts of each data set of a study."""
    return {name: DataFacts.of(name) for name in sorted({point.dataset for point in spec.points})}


def check_architectures(spec: StudySpec, data: Mapping[str, DataFacts]) -> None:
    """Refuse networks whose inputs and outputs do not match their data.

    Raises
    ------
    SpecError
    """
    chains = ((point.dataset, point.recipe.sizes) for point in spec.points if isinstance(point.recipe, Recipe))
    for dataset, sizes in dict.fromkeys(chains):
        facts = data[dataset]
        if (sizes[0], sizes[-1]) != (facts.n_features, facts.n_classes):
            raise SpecError(
                f"[grid] architectures: {dataset} has {facts.n_features} inputs and {facts.n_classes} classes, but an "
                f"architecture is {list(sizes)}: it must begin with {facts.n_features} and end with {facts.n_classes}"
            )
