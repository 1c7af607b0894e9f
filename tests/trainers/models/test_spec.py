"""Models by name: specs, options, factories that fail, random states."""

import random
from pathlib import Path

import numpy as np
import pytest

from topograph.errors import (
    InvalidModelError,
    InvalidParameterError,
    PluginError,
    TopographError,
    UnknownNameError,
)
from trainers import load_dataset
from trainers.models import Model, ModelSpec, available_models, describe_models, get_model

torch = pytest.importorskip("torch")
BAD = "bad_factories:"


@pytest.fixture(autouse=True)
def factories(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def weights_of(module):
    return {name: value.detach().numpy().copy() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("name", available_models("torch"))
@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (12, 16), (16, 16, 3), (3, 32, 32)])
def test_every_model_takes_images_of_any_size(name, shape):
    module = ModelSpec(name).build(shape, 7, seed=1)
    with torch.no_grad():
        assert module.eval()(torch.rand(3, *shape)).shape == (3, 7)


@pytest.mark.parametrize("name", available_models("torch"))
def test_initial_weights_depend_on_the_seed_alone(name):
    first, again, other = (weights_of(ModelSpec(name).build((8, 8), 3, seed=seed)) for seed in (4, 4, 5))
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert any(not np.array_equal(first[key], other[key]) for key in first)


def test_global_random_states_are_left_as_they_were():
    def draws():
        return random.random(), np.random.random(), torch.rand(1).item()  # noqa: NPY002

    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    expected = draws()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    first = weights_of(ModelSpec(BAD + "draws_everywhere").build((4,), 2, seed=3))
    assert draws() == expected
    again = weights_of(ModelSpec(BAD + "draws_everywhere").build((4,), 2, seed=3))
    assert all(np.array_equal(first[key], again[key]) for key in first)


def test_records_and_labels_come_back():
    spec = ModelSpec.of("mlp", widths=[30, 20], activation="tanh")
    assert spec.label == "mlp(activation=tanh, widths=[30, 20])"
    assert spec.to_record() == {"name": "mlp", "activation": "tanh", "widths": [30, 20]}
    assert ModelSpec.from_record(spec.to_record()) == spec
    assert hash(spec) == hash(ModelSpec.from_record(spec.to_record()))
    assert ModelSpec.from_record("lenet5") == ModelSpec("lenet5")
    assert ModelSpec.of(spec, activation="relu").options == (("activation", "relu"), ("widths", (30, 20)))
    module = spec.build((8, 8), 10)
    assert [tuple(p.shape) for p in module.parameters() if p.dim() > 1] == [(30, 64), (20, 30), (10, 20)]


def test_the_size_comes_from_the_data():
    module = ModelSpec("lenet5").build(load_dataset("digits"))
    assert module.fc1.in_features == 64
    assert module.fc3.out_features == 10


def test_names_and_options_that_do_not_exist_are_listed():
    with pytest.raises(UnknownNameError, match="did you mean 'lenet5'"):
        ModelSpec("lenet6").build((8, 8), 10)
    with pytest.raises(UnknownNameError, match="option of the model lenet5 'widths'; did you mean 'width'"):
        ModelSpec.of("lenet5", widths=3).build((8, 8), 10)
    with pytest.raises(UnknownNameError, match="option of the model bad_factories:fine 'depth'"):
        ModelSpec.of(BAD + "fine", depth=3).build((8, 8), 10)


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("raises", "cannot be made .* RuntimeError: no such luck"),
        ("gives_none", "must return a torch.nn.Module or a keras.Model, but it returned None"),
        ("gives_a_number", "must return .* an int"),
        ("one_class_more", r"each of 3 classes, .* \(2, 3\) .* an output of shape \(2, 4\)"),
        ("gives_pairs", "it gave a tuple"),
        ("takes_other_samples", r"does not take a batch of 2 samples of shape \(2, 4\)"),
    ],
)
def test_a_factory_that_fails_is_named(factory, words):
    with pytest.raises(InvalidModelError, match=words) as raised:
        ModelSpec(BAD + factory).build((2, 4), 3)
    assert f"the model {BAD}{factory}" in str(raised.value)


@pytest.mark.parametrize("reference", ["bad_factories:missing", "no_such_module:make", "bad_factories:fine.deeper"])
def test_a_reference_that_leads_nowhere_is_named(reference):
    with pytest.raises(PluginError, match=reference):
        ModelSpec(reference).build((2, 4), 3)


def test_what_is_not_a_function_is_named():
    with pytest.raises(InvalidModelError, match="bad_factories:not_a_function"):
        ModelSpec(BAD + "not_a_function").build((2, 4), 3)


def test_a_function_of_ones_own_has_its_options():
    model = get_model(BAD + "fine")
    assert (model.options, model.framework, model.summary) == ({"width": 4}, "", "A linear model over a few features.")
    assert ModelSpec.of(BAD + "fine", width=9).build((4, 4), 3)[1].out_features == 9


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mlp", {"widths": [0]}),
        ("mlp", {"activation": "swish"}),
        ("lenet5", {"width": 1.5}),
    ],
)
def test_values_of_options_are_checked_and_the_model_is_named(name, options):
    with pytest.raises(InvalidModelError, match=f"the model {name}.*{next(iter(options))}"):
        ModelSpec.of(name, **options).build((8, 8), 3)


@pytest.mark.parametrize("shape", [(64,), (2, 2), (2, 3, 4, 5)])
def test_images_that_a_model_cannot_take_are_refused_with_their_shape(shape):
    with pytest.raises(InvalidModelError, match=r"lenet5.*images"):
        ModelSpec("lenet5").build(shape, 3)


def test_parts_that_are_not_a_model_are_refused():
    for name, options in [("", ()), (3, ()), ("mlp", 7), ("mlp", {"widths": {1: 2}})]:
        with pytest.raises(InvalidParameterError):
            ModelSpec(name, options)
    with pytest.raises(InvalidParameterError, match="classes"):
        ModelSpec("mlp").build((8, 8))
    with pytest.raises(InvalidParameterError, match="framework"):
        Model("mine", "", print, "theano")
    with pytest.raises(TopographError):
        ModelSpec.from_record({"hidden": 3})


def test_the_table_has_a_row_for_every_model():
    table = describe_models()
    assert set(table.index) == set(available_models())
    assert table["summary"].str.endswith(".").all()
    assert set(table["framework"]) <= {"torch", "keras"}
