"""`compress`: other linear layers for a PyTorch model, with fewer parameters."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from topograph.checks import check_integer, check_real
from topograph.errors import BudgetError, InvalidParameterError, UnknownNameError
from topograph.masks.torch.swapping import why_not_linear
from topograph.packages import require
from trainers.compression.compression import get_compression, n_parameters


def compress(
    model: Any, compression: str, *, density: float, include: str | Collection[str] | None = None, seed: int = 0
) -> dict[str, int]:
    """Replace linear layers of a PyTorch model by compressed ones, in place.

    Each layer n × m gets a budget of ``density`` · n · m parameters, rounded down. Its bias stays, and every entry of
    its matrix begins with the variance that the replaced weights have. Train the model as any other; its layers'
    ``matrix()`` writes a matrix out. A state dict holds the parameters, not what a form fixes by chance: to load one
    into another model, compress that with the same seed.

    Parameters
    ----------
    model
        The model. Layers of exactly the type `torch.nn.Linear` are replaced, wherever they stand in it; not the model
        itself, and not layers whose weight another module uses, too.
    compression
        Name of a compression.
    density
        Share of a layer's parameters that it keeps at most, in (0, 1].
    include
        Name or names of the layers to replace, as in ``model.named_modules()``; all by default.
    seed
        Seed of the initial parameters and of whatever a form fixes by chance.

    Returns
    -------
    dict
        Name of each replaced layer → number of parameters that its matrix really has.

    Raises
    ------
    BudgetError
        When a layer's budget is below the form's least; the message names it, and nothing was replaced.
    UnknownNameError
        For an unknown compression, or a layer that the model does not have.
    InvalidParameterError
        When the model has no linear layer inside.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(64, 30), torch.nn.ReLU(), torch.nn.Linear(30, 10))
    >>> compress(model, "hashed", density=0.1, include=["0"])
    {'0': 192}
    >>> sum(p.numel() for p in model.parameters())
    532
    """
    torch = require("torch", "torch")
    from trainers.compression.linear import CompressedLinear, replace_by_compressed

    chosen = get_compression(compression)
    density = check_real("density", density, low=0, high=1, include_low=False)
    seed = check_integer("seed", seed, low=0)
    if not isinstance(model, torch.nn.Module):
        raise InvalidParameterError(f"model must be a torch.nn.Module, but got {type(model).__name__}")
    include = (include,) if isinstance(include, str) else include
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)}
    reasons = {
        name: _why_not(layer) or words
        for (name, layer), words in zip(layers.items(), why_not_linear(model, layers).values(), strict=True)
    }
    if all(reasons.values()):
        words = "; ".join(f"{name or 'the model'}: {reason}" for name, reason in reasons.items())
        raise InvalidParameterError(
            f"the model has no torch.nn.Linear inside that can be compressed{f' ({words})' if words else ''}"
        )
    for name in include or ():
        if name not in layers:
            raise UnknownNameError.among("linear layer", name, layers)
        if reasons[name]:
            raise InvalidParameterError(
                f"layer {name!r} cannot be compressed: {reasons[name]}; leave it out of include"
            )
    layers = {name: layer for name, layer in layers.items() if not reasons[name]}
    made = {}
    for number, (name, layer) in enumerate(layers.items()):
        if include is not None and name not in include:
            continue
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
        n, m = layer.in_features, layer.out_features
        try:
            form = chosen.build(n, m, max(1, int(density * n * m + 1e-9)), seed=generator)
        except InvalidParameterError as error:
            raise BudgetError(f"layer {name!r} at density={density:g}: {error}") from error
        made[name] = CompressedLinear.in_place_of(layer, form, generator)
    replace_by_compressed(model, made)
    return {name: n_parameters(layer.form) for name, layer in made.items()}


def _why_not(layer: Any) -> str:
    """Why a layer's weight cannot be compressed, beyond what keeps it from being replaced; empty when it can."""
    torch = require("torch", "torch")
    if type(layer) is not torch.nn.Linear:
        return f"it is a {type(layer).__name__}, not a torch.nn.Linear"
    if "weight" not in layer._parameters:
        return "a hook computes its weight, as torch.nn.utils.prune does until prune.remove"
    if layer.weight.is_meta:
        return "its weight is on the device 'meta', without values"
    return "" if layer.weight.is_floating_point() else f"its weight holds {layer.weight.dtype}"
