"""`compress`: linear layers of any PyTorch model, replaced by compressed ones."""

from __future__ import annotations

import numpy as np
import pytest

from topograph.errors import BudgetError, InvalidParameterError, UnknownNameError
from trainers import load_dataset

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from trainers.compression import available_compressions, compress  # noqa: E402


class Residual(torch.nn.Module):
    """Not a chain: a block with a skip, and a head without bias."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(64, 40)
        self.block = torch.nn.Sequential(torch.nn.Linear(40, 40), torch.nn.ReLU())
        self.head = torch.nn.Linear(40, 10, bias=False)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return self.head(x + self.block(x))


@pytest.mark.parametrize("name", available_compressions())
def test_a_model_that_is_not_a_chain_learns_with_compressed_layers(name):
    torch.manual_seed(0)
    data, model = load_dataset("digits"), Residual()
    counts = compress(model, name, density=0.3, include=["first", "block.0"])
    assert list(counts) == ["first", "block.0"]
    assert counts["first"] <= 0.3 * 64 * 40
    assert counts["block.0"] <= 0.3 * 40 * 40
    assert sum(p.numel() for p in model.parameters()) == sum(counts.values()) + 40 + 40 + 400
    x, labels = torch.tensor(data.x_train), torch.tensor(data.y_train)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
    hits = model(torch.tensor(data.x_test)).argmax(1) == torch.tensor(data.y_test)
    assert float(hits.double().mean()) > 0.8


def test_the_product_is_that_of_the_matrix_for_any_leading_shape_and_the_bias_stays():
    model = Residual()
    bias = model.first.bias.detach().clone()
    deviation = float(model.first.weight.detach().std())
    compress(model, "hashed", density=0.5, seed=3)
    x = torch.randn(2, 3, 64)
    expected = x @ model.first.matrix() + bias
    torch.testing.assert_close(model.first(x), expected)
    assert float(model.first.matrix().detach().std()) == pytest.approx(deviation, rel=0.1)
    again = Residual()
    compress(again, "hashed", density=0.5, seed=3)
    np.testing.assert_array_equal(
        again.block[0].form.index, model.block[0].form.index, "the same seed fixes the same by chance"
    )


def test_a_model_with_compressed_layers_is_saved_and_loaded_as_any_other():
    model, other = Residual(), Residual()
    for one in (model, other):
        compress(one, "tensor_train", density=0.2, seed=1)
    other.load_state_dict(model.state_dict())
    x = torch.randn(5, 64)
    torch.testing.assert_close(model(x), other(x))


def test_what_cannot_be_compressed_is_refused_and_nothing_is_changed():
    model = Residual()
    with pytest.raises(BudgetError, match=r"layer 'head' at density=0\.1: low_rank .* at least 50 parameters"):
        compress(model, "low_rank", density=0.1)
    assert type(model.first) is torch.nn.Linear
    with pytest.raises(UnknownNameError, match="unknown linear layer 'heads'; did you mean 'head'"):
        compress(model, "low_rank", density=0.5, include=["heads"])
    with pytest.raises(InvalidParameterError, match="density"):
        compress(model, "hashed", density=0)
    with pytest.raises(InvalidParameterError, match=r"no torch\.nn\.Linear inside"):
        compress(torch.nn.Sequential(torch.nn.ReLU()), "hashed", density=0.5)
    with pytest.raises(InvalidParameterError, match="must be a torch"):
        compress("model", "hashed", density=0.5)


def test_a_layer_in_two_places_is_replaced_in_both_and_shared_weights_are_left():
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.encoder, self.decoder = (torch.nn.Linear(30, 30) for _ in range(3))
            self.again = self.body
            self.decoder.weight = self.encoder.weight

    model = Tied()
    assert list(compress(model, "hashed", density=0.5)) == ["body"]
    assert model.again is model.body
    assert model.decoder.weight is model.encoder.weight
    with pytest.raises(InvalidParameterError, match="'encoder' cannot be compressed: another module uses the same"):
        compress(Tied(), "hashed", density=0.5, include=["encoder"])


def test_a_frozen_bias_stays_frozen():
    model = Residual()
    model.first.bias.requires_grad_(False)
    compress(model, "hashed", density=0.5)
    assert not model.first.bias.requires_grad


def test_one_name_may_be_given_as_it_is():
    model = torch.nn.Sequential(*(torch.nn.Linear(12, 12) for _ in range(13)))
    assert list(compress(model, "hashed", density=0.5, include="12")) == ["12"]


def pruned():
    import torch.nn.utils.prune

    return torch.nn.utils.prune.random_unstructured(torch.nn.Linear(12, 12), "weight", amount=0.5)


def normalised():
    return torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(12, 12))


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (pruned, "0: a hook computes its weight"),
        (normalised, "0: it is a ParametrizedLinear"),
        (lambda: torch.nn.Linear(12, 12, device="meta"), "0: its weight is on the device 'meta'"),
        (lambda: torch.nn.Linear(12, 12, dtype=torch.complex64), "0: its weight holds torch.complex64"),
    ],
)
def test_layers_that_cannot_be_compressed_say_why(layer, words):
    with pytest.raises(InvalidParameterError, match=words):
        compress(torch.nn.Sequential(layer()), "hashed", density=0.5)
    with pytest.raises(InvalidParameterError, match="layer '0' cannot be compressed"):
        compress(torch.nn.Sequential(layer(), torch.nn.Linear(12, 12)), "hashed", density=0.5, include=["0"])
    assert list(compress(torch.nn.Sequential(layer(), torch.nn.Linear(12, 12)), "hashed", density=0.5)) == ["1"]
