"""`Recipe`: a description of one topology that is small enough to send anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from topograph.topology import Topology
from trainers.study.spec.pruned import Pruned, make_pruned
from trainers.study.spec.variants import PLAIN, Variant

Options = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Recipe:
    """A description from which the same topology is made every time.

    Parameters
    ----------
    construction
        Name of the construction of every layer, or of a pruner.
    sizes
        Numbers of neurons of each group.
    degrees
        Degree of the inputs of each layer; None for ``dense``.
    seed
        Seed of the topology.
    variant
        Change of the finished topology.
    options
        Options of the construction: names and values, in order of their names.
    pruned
        Data and settings that a pruner's choice depends on; None for constructions.

    Examples
    --------
    >>> recipe = Recipe("watts_strogatz", (64, 30, 10), (4, 10), seed=0, options=(("beta", 0.5),))
    >>> recipe.label, recipe.expected_edges, recipe.build().n_edges
    ('watts_strogatz(beta=0.5)', 556, 556)
    >>> Recipe.from_record(recipe.to_record()) == recipe
    True
    """

    construction: str
    sizes: tuple[int, ...]
    degrees: tuple[float, ...] | None
    seed: int
    variant: Variant = PLAIN
    options: Options = ()
    pruned: Pruned | None = None

    def build(self) -> Topology:
        """Make the topology."""
        if self.pruned is not None:
            degrees, options = self.degrees or self.sizes[1:], dict(self.options)
            chosen = make_pruned(self.construction, self.sizes, degrees, self.seed, options, self.pruned)
            return self.variant.apply(chosen, self.seed)
        plain = Topology.build(self.construction, self.sizes, self.degrees, seed=self.seed, **dict(self.options))
        return self.variant.apply(plain, self.seed)

    def measurable(self, topology: Any) -> tuple[Any, None]:
        """What is measured: the topology itself, whose layers say all of the whole network."""
        return topology, None

    @property
    def depends_on_rounding(self) -> bool:
        """Whether a search or a pruner chooses edges by numbers whose last digits depend on the processor."""
        return self.pruned is not None or self.variant.searches

    def planned(self, seed: int, data_hash: str) -> Recipe:
        """The recipe with a seed, and for a pruner with the content of its data."""
        pruned = None if self.pruned is None else replace(self.pruned, data_hash=data_hash)
        return replace(self, seed=seed, pruned=pruned)

    @property
    def label(self) -> str:
        """The construction with its options, as it is named in tables."""
        return with_options(self.construction, self.options)

    @property
    def architecture(self) -> str:
        """The sizes in the usual notation, such as ``"784-300-10"``."""
        return "-".join(map(str, self.sizes))

    @property
    def degree_label(self) -> str:
        """The degrees asked for, one per layer, such as ``"30-10"``."""
        return "-".join(f"{degree:g}" for degree in self.degrees or self.sizes[1:])

    @property
    def expected_edges(self) -> int:
        """Expected number of edges, without making the topology."""
        degrees = self.degrees or self.sizes[1:]
        return round(sum(n * degree for n, degree in zip(self.sizes, degrees, strict=False)))

    @property
    def work(self) -> float:
        """Work for one sample, in proportion to the edges and to the neurons, which dominate very sparse networks."""
        return self.expected_edges + 20 * sum(self.sizes)

    def to_record(self) -> dict[str, Any]:
        """The recipe as a plain dictionary, ready for JSON."""
        return {
            "construction": self.construction,
            "options": dict(self.options),
            "sizes": list(self.sizes),
            "degrees": None if self.degrees is None else list(self.degrees),
            "variant": asdict(self.variant),
            "seed": self.seed,
            **({} if self.pruned is None else {"pruned": asdict(self.pruned)}),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Recipe:
        """The inverse of `to_record`."""
        return cls(
            record["construction"],
            tuple(record["sizes"]),
            None if record["degrees"] is None else tuple(record["degrees"]),
            record["seed"],
            Variant(**record["variant"]),
            tuple(sorted(record["options"].items())),
            Pruned(**record["pruned"]) if "pruned" in record else None,
        )


def with_options(name: str, options: Options) -> str:
    """A construction with its options, as it is named in tables.

    Examples
    --------
    >>> with_options("watts_strogatz", (("beta", 0.5),)), with_options("dense", ())
    ('watts_strogatz(beta=0.5)', 'dense')
    """
    words = ", ".join(f"{option}={value}" for option, value in options)
    return f"{name}({words})" if words else name
