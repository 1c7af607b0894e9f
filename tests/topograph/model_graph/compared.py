"""A model's network row beside that of the same network written out."""

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError
from topograph.model_graph import lanczos, spectrum


def randomly_masked(model, seed, density=0.3, example=None):
    """A model with random zeros in every weight of two or more dimensions; fixed masks of ours lie on half of them."""
    import torch

    if example is not None:
        model(torch.ones(1, *example))
    model.eval()
    masks = tg.MaskSet.build(model, "erdos_renyi", density=density, seed=seed)
    if seed % 2:
        masks.apply_to(model)
        return model
    try:
        copied = {name: torch.from_numpy(mask) for name, mask in _drawn(model, masks).items()}
    except InvalidMaskError:
        return model
    with torch.no_grad():
        for name, mask in copied.items():
            path, _, weight = name.rpartition(".")
            getattr(model.get_submodule(path), weight).masked_fill_(~mask, 0.0)
    return model


def _drawn(model, masks):
    """Masks over whole tensors, by the names of the weights."""
    from topograph.masks.live import kind_of
    from topograph.masks.maskable import layer_of

    drawn = {}
    for entry in kind_of(model).source(model).entries:
        if entry.name in masks:
            layer = layer_of(entry)
            layer.draw(masks[entry.name], drawn.setdefault(layer.weight, np.ones(layer.shape, dtype=bool)))
    return drawn


def there(layer, weight="weight"):
    """Where a layer's weight is not 0."""
    return (getattr(layer, weight) != 0).detach().numpy()


def check_against(model, example, written, room=None, metrics=None):
    """Every metric of the model's network row equals that of the network written out; both ways to λ2 are tried."""
    network = tg.network_graph(model, example)
    room = network.room if room is None else room
    empty = sum(layer.n_edges == 0 for layer in network.layers)
    expected = written.metrics(room, empty)
    assert network.room == room
    assert network.n_units == written.graph.number_of_nodes()
    assert len(network.edges()[0]) == written.graph.number_of_edges()
    chosen = list(expected) if metrics is None else metrics
    row = tg.measure(model, chosen, example=example).loc["network"]
    for name in chosen:
        assert row[name] == pytest.approx(expected[name], rel=1e-9, abs=1e-9, nan_ok=True), name
    if expected["algebraic_connectivity"]:
        piece = spectrum.Piece(network, network.from_inputs | ~network.from_inputs)
        piece.units[0] = False
        for quantity, name in {"connectivity": "algebraic_connectivity", "normalized_gap": "normalized_gap"}.items():
            estimate = lanczos.estimate(piece, quantity, 1e-8, 2000)
            assert estimate.low - 1e-9 <= expected[name] <= estimate.high + 1e-9, name
    return network
