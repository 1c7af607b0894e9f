"""`build_model`: a network of a spec, checked, with initial weights that depend on the seed alone."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from topograph.checks import check_integer
from topograph.errors import InvalidModelError, InvalidParameterError, MissingDependencyError
from topograph.masks.live import kind_of
from topograph.packages import require
from trainers.datasets import Dataset
from trainers.models.model import FRAMEWORKS
from trainers.models.registry import get_model

if TYPE_CHECKING:
    from trainers.models.spec import ModelSpec

_TRIED = 2  # samples on which a new network is tried


def build_model(spec: ModelSpec, data: Dataset | Sequence[int], classes: int | None, seed: int) -> Any:
    """Make a network; see `ModelSpec.build`."""
    model = get_model(spec.name)
    model.check_options(dict(spec.options))
    if isinstance(data, Dataset):
        classes = data.n_classes if classes is None else classes
        data = data.shape
    if classes is None:
        raise InvalidParameterError("classes must be given with a shape, but got classes=None")
    shape = tuple(check_integer("each size in shape", size, low=1) for size in data)
    classes, seed = check_integer("classes", classes, low=1), check_integer("seed", seed, low=0)
    _import(model.framework)
    with random_state(seed):
        try:
            made = model.make(shape, classes, **dict(spec.options))
        except MissingDependencyError:
            raise
        except Exception as error:  # of anybody's function, any may come
            raise InvalidModelError(
                f"the model {spec.label} cannot be made for samples of shape {shape} and {classes} classes: "
                f"{_words(error)}"
            ) from error
        _check_made(spec.label, made, model.framework)
        check_outputs(spec.label, made, shape, classes)
    return made


def framework_of(made: Any) -> str:
    """``"torch"`` or ``"keras"``; empty for what is not a model."""
    kind = kind_of(made)
    return kind.name if kind is not None and kind.name in FRAMEWORKS else ""


def _check_made(label: str, made: Any, framework: str) -> None:
    kind = framework_of(made)
    if not kind or kind != (framework or kind):
        allowed = FRAMEWORKS[framework] if framework else " or a ".join(FRAMEWORKS.values())
        raise InvalidModelError(f"the model {label} must return a {allowed}, but it returned {_described(made)}")


def check_outputs(label: str, made: Any, shape: tuple[int, ...], classes: int) -> None:
    """Try a network on samples of zeros: it must give a number for each class.

    Raises
    ------
    InvalidModelError
    """
    try:
        outputs = _try(made, (_TRIED, *shape))
    except Exception as error:  # of anybody's model, any may come
        raise InvalidModelError(
            f"the model {label} does not take a batch of {_TRIED} samples of shape {shape}: {_words(error)}"
        ) from error
    found = tuple(getattr(outputs, "shape", ()))
    if found != (_TRIED, classes):
        came = f"an output of shape {found}" if hasattr(outputs, "shape") else _described(outputs)
        raise InvalidModelError(
            f"the model {label} must give one number for each of {classes} classes, so an output of shape "
            f"{(_TRIED, classes)} for {_TRIED} samples, but it gave {came}"
        )


def _try(made: Any, shape: tuple[int, ...]) -> Any:
    if framework_of(made) == "keras":
        from trainers.keras.choosing import quiet

        with quiet():
            return made(np.zeros(shape, np.float32), training=False)
    torch = require("torch", "torch")
    parameter = next(made.parameters(), torch.zeros(()))
    modes = {part: part.training for part in made.modules()}
    made.eval()
    try:
        with torch.no_grad():
            like = parameter if parameter.is_floating_point() else torch.zeros(())
            return made(torch.zeros(shape, dtype=like.dtype, device=like.device))
    finally:
        for part, mode in modes.items():
            part.training = mode


def _import(framework: str) -> None:
    """Import a framework before its random state is looked at."""
    if framework == "keras":
        from trainers.keras.choosing import import_keras

        import_keras()
    elif framework or find_spec("torch"):
        require("torch", "torch")


@contextmanager
def random_state(seed: int) -> Iterator[None]:
    """Random states of Python, NumPy and PyTorch from a seed; afterwards they are as they were."""
    numbers = np.random.SeedSequence([seed, 7]).generate_state(3)
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with ExitStack() as stack:
        if torch := sys.modules.get("torch"):
            stack.enter_context(torch.random.fork_rng(devices=[]))
            torch.random.default_generator.manual_seed(int(numbers[0]))
        random.seed(int(numbers[1]))
        np.random.seed(int(numbers[2]))  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _described(value: Any) -> str:
    return (
        "None"
        if value is None
        else f"{'an' if type(value).__name__[0] in 'aeiouAEIOU' else 'a'} {type(value).__name__}"
    )
