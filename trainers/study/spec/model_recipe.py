"""`ModelRecipe`: a description of the masks of one model that is small enough to send anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from topograph.constructions import get_construction
from topograph.masks.building import allocate, maskable_layers
from topograph.masks.maskable import MaskableLayer
from topograph.masks.maskset import MaskSet
from trainers.config import TrainingConfig
from trainers.models import ModelSpec
from trainers.study.data import checked
from trainers.study.spec.makers import is_pruner
from trainers.study.spec.model_size import ModelSize, model_size
from trainers.study.spec.pruned import Pruned
from trainers.study.spec.recipe import Options, with_options
from trainers.study.spec.variants import PLAIN, Variant


@dataclass(frozen=True)
class ModelRecipe:
    """A description from which the same masks of a model are made every time.

    Parameters
    ----------
    model
        The model.
    construction
        Name of the construction of every layer, or of a pruner.
    density
        Share of the possible edges of all its layers together.
    allocation
        How the layers share the edges; ``"global"`` where a pruner compares the scores of all layers.
    seed
        Seed of the masks; for a pruner, also of the model's initial weights.
    pruned
        The data, whose shape and classes the model is made for, and the settings that a pruner reads.
    variant
        Change of the finished masks.
    options
        Options of the construction: names and values, in order of their names.

    Examples
    --------
    >>> from trainers.study.spec.pruned import Pruned
    >>> recipe = ModelRecipe(ModelSpec("lstm"), "erdos_renyi", 0.1, "erk", 0, Pruned("digits", "{}"))
    >>> recipe.architecture, recipe.degree_label, ModelRecipe.from_record(recipe.to_record()) == recipe
    ('lstm', 'density 0.1 erk', True)
    """

    model: ModelSpec
    construction: str
    density: float
    allocation: str
    seed: int
    pruned: Pruned
    variant: Variant = PLAIN
    options: Options = ()

    def build(self) -> MaskSet:
        """Make the masks.

        Raises
        ------
        InvalidModelError
            When the model cannot be made.
        InvalidParameterError
            When the construction cannot make a layer, which is named.
        InvalidDatasetError
            When the data have other content than when the study was planned.
        """
        data = checked(self.pruned.dataset, self.pruned.data_hash)
        model = self.model.build(data, seed=self.seed)
        layers, _ = maskable_layers(model)
        masks = self._pruned(model, data) if is_pruner(self.construction) else self._constructed(model, layers)
        return self.variant.apply_to_masks(masks, layers, self.seed)

    def _pruned(self, model: Any, data: Any) -> MaskSet:
        from trainers.pruning import prune

        chosen = {"allocation": self.allocation if self.allocation != "global" else "uniform", **dict(self.options)}
        config = TrainingConfig.from_record(json.loads(self.pruned.settings)).replace(seed=self.seed)
        return prune(
            self.construction, model, data, density=self.density, seed=self.seed, config=config,
            input_shape=data.shape, **chosen,
        )  # fmt: skip

    def _constructed(self, model: Any, layers: Sequence[MaskableLayer]) -> MaskSet:
        options: dict[str, Any] = dict(self.options)
        if self.construction == "dense":
            return MaskSet.build(model, "erdos_renyi", density=1.0, seed=self.seed)
        if get_construction(self.construction).sized_by != "expected":
            return MaskSet.build(
                model, self.construction, density=self.density, allocation=self.allocation, seed=self.seed, **options
            )
        edges = allocate(layers, density=self.density, allocation=self.allocation)
        densities = {layer.name: edges[layer.name] / layer.room for layer in layers}
        return MaskSet.build(model, self.construction, densities=densities, seed=self.seed, **options)

    def measurable(self, masks: Any) -> tuple[Any, tuple[int, ...]]:
        """The model with masks on, whose whole graph can be measured, and the shape of a sample."""
        data = checked(self.pruned.dataset, self.pruned.data_hash)
        model = self.model.build(data, seed=self.seed)
        masks.apply_to(model)
        return model, data.shape

    @property
    def depends_on_rounding(self) -> bool:
        """See `Recipe.depends_on_rounding`."""
        return is_pruner(self.construction) or self.variant.searches

    def planned(self, seed: int, data_hash: str) -> ModelRecipe:
        """The recipe with a seed, for data of known content."""
        return replace(self, seed=seed, pruned=replace(self.pruned, data_hash=data_hash))

    @property
    def size(self) -> ModelSize:
        """How large the model is; zeros where it cannot be made."""
        return model_size(self.model, self.pruned.dataset)

    @property
    def label(self) -> str:
        """The construction with its options, as it is named in tables."""
        return with_options(self.construction, self.options)

    @property
    def architecture(self) -> str:
        """The model with its options, such as ``"lstm(hidden=64)"``."""
        return self.model.label

    @property
    def degree_label(self) -> str:
        """Density and allocation, such as ``"density 0.1 erk"``."""
        return f"density {self.density:g} {self.allocation}"

    @property
    def expected_edges(self) -> int:
        """Number of edges, without making the masks; 0 where the model cannot be made."""
        return round(self.size.room * self.density)

    @property
    def work(self) -> float:
        """Multiplications for one sample. Masked layers multiply their zeros too, so the density does not matter."""
        return self.size.multiplications

    def to_record(self) -> dict[str, Any]:
        """The recipe as a plain dictionary, ready for JSON."""
        return {
            "model": self.model.to_record(),
            "construction": self.construction,
            "options": dict(self.options),
            "density": self.density,
            "allocation": self.allocation,
            "variant": asdict(self.variant),
            "seed": self.seed,
            "pruned": asdict(self.pruned),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> ModelRecipe:
        """The inverse of `to_record`."""
        return cls(
            ModelSpec.from_record(record["model"]),
            record["construction"],
            record["density"],
            record["allocation"],
            record["seed"],
            Pruned(**record["pruned"]),
            Variant(**record["variant"]),
            tuple(sorted(record["options"].items())),
        )
