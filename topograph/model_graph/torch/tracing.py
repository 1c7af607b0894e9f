"""`trace_model`: one run of a PyTorch model on an example, as a `NetworkGraph`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from topograph.errors import InvalidParameterError, TopographError, UnsupportedModelError
from topograph.model_graph.graph import NetworkGraph
from topograph.model_graph.torch.memory import WeightMemory
from topograph.model_graph.torch.modules import followed_modules
from topograph.model_graph.torch.reading import ModelReading
from topograph.model_graph.torch.rules import elementwise, images, matrices, moving, reductions
from topograph.model_graph.weights import ModelWeights
from topograph.packages import require

torch: Any = require("torch", "torch")
_tree: Any = require("torch.utils._pytree", "torch")

RULES = moving.RULES | elementwise.RULES | matrices.RULES | images.RULES | reductions.RULES
"""From the name of an operation to its rule."""


def trace_model(
    model: Any, example: Any, weights: ModelWeights, tensors: Mapping[str, Any], **settings: Any
) -> NetworkGraph:
    """The graph of a model.

    Parameters
    ----------
    model
        The model; it is run in evaluation mode, without gradients, and left as it was.
    example
        A batch of inputs, of which the first is taken; a tuple of them for several arguments, a mapping for named ones;
        or the shape of one sample.
    weights
        Its masks.
    tensors
        The tensor in which each masked weight lies; sparse layers of ours need none.
    **settings
        Further named arguments of the model.

    Raises
    ------
    InvalidParameterError
        When the model does not take the example.
    UnsupportedModelError
        When it does something that cannot be read as edges.
    """
    like = next(iter([*model.parameters(), *model.buffers()]), torch.zeros(()))
    with _quiet(model):
        refused: TopographError | None = None
        for args, kwargs in _arguments(example, like):
            try:
                return _traced(model, args, kwargs | settings, weights, tensors)
            except (UnsupportedModelError, InvalidParameterError) as error:
                if not isinstance(refused, UnsupportedModelError):  # that says more than that the shape does not fit
                    refused = refused if isinstance(error, InvalidParameterError) and refused else error
    assert refused is not None
    raise refused


def _traced(
    model: Any, args: list[Any], kwargs: dict[str, Any], weights: ModelWeights, tensors: Mapping[str, Any]
) -> NetworkGraph:
    """The graph of a model by one run on these arguments."""
    reading = ModelReading(_located(model, weights, tensors), RULES)
    for leaf in _tree.tree_leaves((args, kwargs)):
        if isinstance(leaf, torch.Tensor):
            reading.add_input(leaf)
    with followed_modules(reading, model), reading:
        outputs = _leaves(_run(model, args, kwargs, reading))
    alone = reading.tables - {operator.weight for operator in reading.builder.operators}
    if alone:
        raise UnsupportedModelError(
            f"{', '.join(sorted(alone))} has a mask and only looks up the model's input: what it gives are the inputs "
            "of the network, so its mask cannot be part of it; leave it out with exclude="
        )
    live = [leaf for leaf in outputs if reading.is_live(leaf)]
    if not live:
        words = next(filter(None, map(reading.why_opaque, outputs)), "")
        raise UnsupportedModelError(
            words
            or f"no output of {type(model).__name__} depends on the example: an input of whole numbers must be looked "
            "up in an embedding"
        )
    return reading.builder.finish([reading.units(leaf) for leaf in live], weights.layers, weights.size)


def _leaves(outputs: Any) -> list[Any]:
    """The tensors of what a model returns, also of an object with fields."""
    if isinstance(outputs, Mapping):
        outputs = list(outputs.values())
    elif not isinstance(outputs, (torch.Tensor, tuple, list)) and hasattr(outputs, "__dict__"):
        outputs = list(vars(outputs).values())
    return [leaf for leaf in _tree.tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]


@contextmanager
def _quiet(model: Any) -> Iterator[None]:
    """Evaluation mode, and every composed operation taken apart; all as before afterwards."""
    modes = {module: module.training for module in model.modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    kernels = torch.nn.attention
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(torch.no_grad())
        stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        stack.enter_context(kernels.sdpa_kernel(kernels.SDPBackend.MATH))
        if any(hasattr(part, "_orig_mod") or part._compiled_call_impl is not None for part in model.modules()):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        torch.backends.mha.set_fastpath_enabled(False)
        model.eval()
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            for module, mode in modes.items():
                module.training = mode


def _located(model: Any, weights: ModelWeights, tensors: Mapping[str, Any]) -> WeightMemory:
    """Where each masked weight lies in memory, and every other parameter."""
    memory = WeightMemory(weights)
    for name, tensor in tensors.items():
        if name in weights.tensors:
            memory.register(weights.tensors[name], tensor)
    for parameter in model.parameters():
        if not memory.knows(parameter):
            memory.register_free(parameter)
    return memory


def _arguments(example: Any, like: Any) -> list[tuple[list[Any], dict[str, Any]]]:
    """Positional and named arguments of the model, one sample each; several where a shape may mean several."""
    sizes = [example] if isinstance(example, (int, np.integer)) else example
    if isinstance(sizes, (tuple, list)) and sizes and all(isinstance(size, (int, np.integer)) for size in sizes):
        if min(sizes) < 1:
            raise InvalidParameterError(f"example= must be a shape of sizes from 1 on, but got {example}")
        shape = [1, *sizes]
        dtype = like.dtype if like.is_floating_point() else torch.float32
        numbers = torch.ones(shape, dtype=dtype, device=like.device)
        words = torch.zeros(shape, dtype=torch.int64, device=like.device)
        return [([numbers], {}), ([words], {})]
    if isinstance(example, Mapping):
        return [([], {name: _sample(one, like) for name, one in example.items()})]
    several = example if isinstance(example, (tuple, list)) else (example,)
    return [([_sample(one, like) for one in several], {})]


def _sample(value: Any, like: Any) -> Any:
    """The first sample of a batch, as a tensor where the model is; also of each batch in a mapping or a list."""
    if isinstance(value, Mapping):
        return {name: _sample(one, like) for name, one in value.items()}
    if isinstance(value, (list, tuple)) and any(hasattr(one, "shape") or isinstance(one, Mapping) for one in value):
        return [_sample(one, like) for one in value]
    if not hasattr(value, "shape") and not isinstance(value, (list, tuple)):
        return value
    try:
        tensor = value.detach() if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(
            f"example= must hold numbers, but got {type(value).__name__}, which PyTorch cannot read: {error}"
        ) from error
    if not tensor.numel():
        raise InvalidParameterError(f"example= must hold a sample, but got an empty one of shape {tuple(tensor.shape)}")
    if tensor.is_floating_point() and like.is_floating_point():
        tensor = tensor.to(like.dtype)
    return (tensor[:1] if tensor.dim() else tensor).to(like.device).clone()


def _run(model: Any, args: list[Any], kwargs: dict[str, Any], reading: ModelReading) -> Any:
    try:
        return model(*args, **kwargs)
    except Exception as error:  # of somebody else's model, any may come
        if reading.refusal:
            raise UnsupportedModelError(reading.refusal) from error
        if isinstance(error, TopographError):
            raise
        shapes = [tuple(one.shape) for one in [*args, *kwargs.values()] if isinstance(one, torch.Tensor)]
        raise InvalidParameterError(
            f"{type(model).__name__} does not take the example, of shapes {shapes} with a batch of one "
            f"({type(error).__name__}: {str(error)[:200]}); give example= an input of the model, or the shape of one "
            "sample without the batch"
        ) from error
