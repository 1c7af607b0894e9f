"""`get_model` and the registry behind it: every model is an entry point of the group ``topograph.models``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from topograph.errors import InvalidModelError, UnknownNameError
from topograph.plugins import load_reference, named_plugins
from trainers.models.model import Model

if TYPE_CHECKING:
    import pandas as pd

GROUP = "topograph.models"


def available_models(framework: str | None = None) -> tuple[str, ...]:
    """Names of all registered models, or of those of one framework.

    Examples
    --------
    >>> available_models("keras")
    ('keras_lenet5', 'keras_lstm')
    """
    models = named_plugins(GROUP, Model)
    return tuple(sorted(name for name, model in models.items() if framework in (None, model.framework)))


def get_model(model: str | Model) -> Model:
    """Look a model up by name; an object passes through.

    Parameters
    ----------
    model
        A registered name, or ``"package.module:function"`` for a function ``(shape, classes, **options)`` in a module
        that can be imported, also from the working folder.

    Raises
    ------
    UnknownNameError
        When no model has that name; the message lists the registered ones.
    PluginError
        When there is no such module or function.
    InvalidModelError
        When what is named cannot be called.

    Examples
    --------
    >>> get_model("resnet8").framework
    'torch'
    >>> get_model("lenet")
    Traceback (most recent call last):
    ...
    topograph.errors.UnknownNameError: unknown model (or package.module:function) 'lenet'; did you mean 'lenet5'? \
Available: conv4, gru, keras_lenet5, keras_lstm, lenet5, lstm, mlp, resnet20, resnet8, transformer
    """
    if isinstance(model, Model):
        return model
    if isinstance(model, str) and ":" in model:
        return _of_function(model, load_reference(model, "model"))
    models = named_plugins(GROUP, Model)
    if model not in models:
        raise UnknownNameError.among("model (or package.module:function)", model, models)
    chosen: Model = models[model]
    return chosen


def describe_models() -> pd.DataFrame:
    """All registered models: one row per model, indexed by name.

    Columns: ``framework``, ``summary``, ``options`` (with their defaults) and ``reference``.

    Examples
    --------
    >>> describe_models().loc["lstm", "options"]
    'hidden=128, layers=1'
    """
    import pandas as pd

    rows = {
        name: {
            "framework": model.framework,
            "summary": model.summary,
            "options": ", ".join(f"{option}={default!r}" for option, default in model.options.items()),
            "reference": model.reference,
        }
        for name, model in sorted(named_plugins(GROUP, Model).items())
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def _of_function(reference: str, made: Any) -> Model:
    """A model of a function ``(shape, classes, **options)``, or of a class that is made so."""
    if isinstance(made, Model):
        return made
    if not callable(made):
        raise InvalidModelError(
            f"the model {reference!r} is not a function (shape, classes, **options), but a {type(made).__name__}"
        )
    options: dict[str, Any] = {}
    takes_any = False
    try:
        parameters = list(inspect.signature(made).parameters.values())
    except (TypeError, ValueError):  # of a callable that tells nothing about itself
        parameters, takes_any = [], True
    for number, parameter in enumerate(parameters):
        takes_any |= parameter.kind is parameter.VAR_KEYWORD
        if number > 1 and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            options[parameter.name] = None if parameter.default is parameter.empty else parameter.default
    summary = (inspect.getdoc(made) or "").partition("\n")[0]
    return Model(reference, summary, made, "", options, "", takes_any)
