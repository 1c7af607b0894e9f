"""`Reading`: how a source is to be read. The options of `load` and `measure`, checked once."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypedDict

from topograph.checks import check_choice, check_density, check_real
from topograph.errors import InvalidParameterError
from topograph.masks.geometry import Geometry
from topograph.masks.layout import IN_OUT, OUT_IN

UNFOLDINGS = ("kernel", "channel", "unrolled")


class ReadingOptions(TypedDict, total=False):
    """The keyword arguments of `load` and `measure`; see `Reading`."""

    threshold: float | None
    density: float | None
    sparsity: float | None
    scope: str
    unfold: str
    include: str | Iterable[str] | None
    exclude: str | Iterable[str] | None
    orientation: str | None
    geometry: Geometry | Iterable[int] | Mapping[str, Geometry] | None


@dataclass(frozen=True)
class Reading:
    """Which weights are edges, which layers are read, and how a convolution becomes one matrix.

    Parameters
    ----------
    threshold
        An edge is a weight of magnitude above this number; without it, a weight that is not zero.
    density
        Instead: the edges are the largest magnitudes, exactly this share of each layer's weights, in (0, 1]. Of equal
        magnitudes the first (inputs first, then outputs) count; a zero is never an edge.
    sparsity
        Instead of the density: 1 − density, in [0, 1).
    scope
        ``"layer"`` (default), or ``"global"``: the share ``density`` of all layers' weights together.
    unfold
        How a convolution is read. ``"kernel"`` (default): inputs are (channel, tap), (c_in·k_h·k_w) × c_out.
        ``"channel"``: c_in × c_out, the weight being the ℓ2 norm of the taps. ``"unrolled"``: pixel × pixel, padding
        removed; needs the image's size. Groups make blocks on the diagonal in all three.
    include, exclude
        Globs (``"encoder.*"``) over layer names. What ``include`` names is read even where it is left out by default,
        such as an embedding.
    orientation
        ``"out_in"`` or ``"in_out"``, against what the format says: for masks that were kept in the other one.
    geometry
        Geometry of the convolutions where the source does not tell it: a `Geometry`, an image size such as
        ``(32, 32)``, or a mapping from globs over layer names to them.

    Examples
    --------
    >>> Reading(density=0.1, exclude="head.*").verdict("head.weight")
    "matches exclude='head.*'"
    """

    threshold: float | None = None
    density: float | None = None
    scope: str = "layer"
    unfold: str = "kernel"
    include: Any = None
    exclude: Any = None
    orientation: str | None = None
    geometry: Any = None
    sparsity: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "density", check_density(self.density, self.sparsity))
        object.__setattr__(self, "sparsity", None)  # it has been said as a density
        if self.threshold is not None:
            if self.density is not None:
                raise InvalidParameterError(
                    f"pass threshold or density, not both, but got threshold={self.threshold}, density={self.density}"
                )
            object.__setattr__(self, "threshold", check_real("threshold", self.threshold, low=0))
        check_choice("scope", self.scope, ["layer", "global"])
        if self.scope == "global" and self.density is None:
            raise InvalidParameterError("scope='global' says how density is counted; pass density= too")
        check_choice("unfold", self.unfold, UNFOLDINGS)
        if self.orientation is not None:
            check_choice("orientation", self.orientation, [IN_OUT, OUT_IN])
        for name in ("include", "exclude"):
            object.__setattr__(self, name, _globs(name, getattr(self, name)))
        object.__setattr__(self, "geometry", _geometries(self.geometry))

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Reading:
        """The reading that keyword arguments ask for; an unknown one is refused by name."""
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise InvalidParameterError(f"unknown option {name!r}; allowed are {', '.join(known)}")
        return cls(**options)

    @property
    def by_magnitude(self) -> bool:
        """Whether the size of a weight decides, and not only whether it is zero."""
        return self.threshold is not None or self.density is not None

    def verdict(self, name: str, reason: str = "") -> str:
        """Why the layer ``name`` is not read; empty when it is. ``reason`` is the reason to leave it by default."""
        excluding = _first_match(name, self.exclude)
        if excluding is not None:
            return f"matches exclude={excluding!r}"
        if self.include is None:
            return reason
        return "" if _first_match(name, self.include) is not None else "not named by include"

    def geometry_of(self, name: str) -> Geometry | None:
        """The geometry that the caller gave for the layer ``name``."""
        for pattern, geometry in self.geometry:
            if fnmatch.fnmatchcase(name, pattern):
                found: Geometry = geometry
                return found
        return None


def _globs(name: str, patterns: Any) -> tuple[str, ...] | None:
    if patterns is None:
        return None
    globs = (patterns,) if isinstance(patterns, str) else tuple(patterns) if isinstance(patterns, Iterable) else ()
    if not globs or not all(isinstance(glob, str) for glob in globs):
        raise InvalidParameterError(f"{name} must be one or more globs such as 'fc*', but got {name}={patterns!r}")
    return globs


def _first_match(name: str, globs: tuple[str, ...] | None) -> str | None:
    return next((glob for glob in globs or () if fnmatch.fnmatchcase(name, glob)), None)


def _geometries(value: Any) -> tuple[tuple[str, Geometry], ...]:
    if value is None:
        return ()
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return value  # checked already: dataclasses.replace comes this way
    table = value if isinstance(value, Mapping) else {"*": value}
    return tuple((glob, one if isinstance(one, Geometry) else Geometry(input_size=one)) for glob, one in table.items())
