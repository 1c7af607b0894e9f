"""`SparseLinear` computes what a dense layer with zeros computes, and stays itself through all that PyTorch does."""

import copy
import io
import os
import subprocess
import sys

import numpy as np
import pytest

import topograph as tg
from tests import fresh_process
from topograph.errors import InvalidMaskError, InvalidParameterError, TopologyMismatchError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from topograph.torch import crew  # noqa: E402

GRAPHS = {
    "irregular": tg.construct("barabasi_albert", 67, 41, density=0.2, seed=0),
    "many blocks": tg.construct("erdos_renyi", 1700, 1601, density=0.05, seed=1),
    "isolated": tg.BipartiteGraph.from_mask(np.diag([1, 1, 0, 0, 1])[:, :3]),
    "dense": tg.construct("dense", 33, 17),
    "one edge": tg.BipartiteGraph.from_edges([(0, 0)], 1, 1),
    "no edge": tg.BipartiteGraph.from_edges(np.zeros((0, 2), int), 9, 3),
}
BATCHES = (0, 1, 7, 8, 32, 33, 65, 130)


def dense_copy(layer):
    """Weight of (inputs, outputs) in double precision, made by the graph and the values alone."""
    weight = np.zeros(layer.graph.shape)
    rows, columns = layer.graph.edges().T
    weight[rows, columns] = layer.values.detach().double().numpy()
    return weight


def sequence(*graphs):
    layers = [part for graph in graphs for part in (tg.torch.SparseLinear(graph), torch.nn.ReLU())]
    return torch.nn.Sequential(*layers[:-1])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_and_gradients_are_those_of_the_dense_layer(name, dtype):
    layer = tg.torch.SparseLinear(GRAPHS[name], dtype=getattr(torch, dtype))
    weight, (rows, columns) = dense_copy(layer), layer.graph.edges().T
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == "float32" else {"rtol": 1e-11, "atol": 1e-11}
    for batch in BATCHES:
        x = torch.randn(batch, layer.in_features, dtype=layer.values.dtype, requires_grad=True)
        delta = torch.randn(batch, layer.out_features, dtype=layer.values.dtype)
        layer.zero_grad()
        y = layer(x)
        y.backward(delta)
        given, back = x.detach().double().numpy(), delta.double().numpy()
        np.testing.assert_allclose(y.detach(), given @ weight + layer.bias.detach().double().numpy(), **close)
        np.testing.assert_allclose(x.grad, back @ weight.T, **close)
        np.testing.assert_allclose(layer.values.grad, (given.T @ back)[rows, columns], **close)
        np.testing.assert_allclose(layer.bias.grad, back.sum(0), **close)


@pytest.mark.parametrize("frozen", ["values", "x", "bias", "values and x"])
def test_only_the_gradients_that_are_wanted_are_taken(frozen):
    layer = tg.torch.SparseLinear(GRAPHS["irregular"], dtype=torch.float64)
    x = torch.randn(40, layer.in_features, dtype=torch.float64, requires_grad="x" not in frozen)
    layer.values.requires_grad_("values" not in frozen)
    layer.bias.requires_grad_(frozen != "bias")
    delta = torch.randn(40, layer.out_features, dtype=torch.float64)
    layer(x).backward(delta)
    weight, (rows, columns) = dense_copy(layer), layer.graph.edges().T
    assert (x.grad is None) == ("x" in frozen)
    assert (layer.values.grad is None) == ("values" in frozen)
    assert (layer.bias.grad is None) == (frozen == "bias")
    if x.grad is not None:
        np.testing.assert_allclose(x.grad, delta.numpy() @ weight.T, rtol=1e-12)
    if layer.values.grad is not None:
        np.testing.assert_allclose(layer.values.grad, (x.detach().numpy().T @ delta.numpy())[rows, columns], rtol=1e-9)


def test_gradients_and_their_gradients_are_finite_differences():
    layer = tg.torch.SparseLinear(tg.construct("erdos_renyi", 13, 9, density=0.4, seed=0), dtype=torch.float64)
    x = torch.randn(3, 2, 13, dtype=torch.float64, requires_grad=True)

    def run(x, values, bias):
        return torch.func.functional_call(layer, {"values": values, "bias": bias}, (x,))

    arguments = (x, layer.values.detach().requires_grad_(), layer.bias.detach().requires_grad_())
    assert torch.autograd.gradcheck(run, arguments)
    assert torch.autograd.gradgradcheck(run, arguments)


def test_the_operators_keep_what_they_tell_the_compiler():
    layer = tg.torch.SparseLinear(GRAPHS["irregular"])
    pattern = layer.starts, layer.inputs, layer.positions, layer.cuts, layer.indices
    x, delta = torch.randn(5, 67, requires_grad=True), torch.randn(5, 41)
    product, gradients = torch.ops.topograph.sparse_product, torch.ops.topograph.sparse_gradients
    torch.library.opcheck(product.default, (x, layer.values, layer.bias, *pattern, 41))
    torch.library.opcheck(product.default, (x, layer.values, None, *pattern, 41))
    torch.library.opcheck(gradients.default, (delta, x, layer.values, *pattern, True, True))
    torch.library.opcheck(gradients.default, (delta, x, layer.values, *pattern, True, False))


def test_a_compiled_model_takes_the_same_steps():
    model = sequence(GRAPHS["irregular"], tg.construct("erdos_renyi", 41, 5, density=0.5, seed=0))
    twin = copy.deepcopy(model)
    compiled = torch.compile(twin, fullgraph=True, backend="aot_eager")
    for one, run in ((model, model), (twin, compiled)):
        optimizer = torch.optim.SGD(one.parameters(), lr=0.1, momentum=0.9)
        for step in range(3):
            optimizer.zero_grad()
            run(torch.linspace(-1, 1, 67 * 8).reshape(8, 67) * (step + 1)).square().mean().backward()
            optimizer.step()
    for first, second in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-7)  # a bias's gradient is summed in another order


def test_an_exported_model_takes_batches_of_any_size():
    model = sequence(GRAPHS["irregular"], tg.construct("erdos_renyi", 41, 5, density=0.5, seed=0))
    dynamic = {"input": {0: torch.export.Dim("batch", min=2)}}
    program = torch.export.export(model, (torch.randn(5, 67),), dynamic_shapes=dynamic)
    x = torch.randn(9, 67)
    assert torch.equal(program.module()(x), model(x))


@pytest.mark.parametrize("openmp", [True, False])
def test_the_number_of_threads_does_not_change_a_bit(openmp, monkeypatch):
    if not openmp:
        monkeypatch.setattr(crew, "_parallel_region", lambda: 0)
    layer = tg.torch.SparseLinear(GRAPHS["many blocks"])
    x, delta = torch.randn(64, 1700, requires_grad=True), torch.randn(64, 1601)
    before, seen = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            layer.zero_grad()
            x.grad = None
            y = layer(x)
            y.backward(delta)
            seen.append((y.detach(), x.grad, layer.values.grad, layer.bias.grad))
    finally:
        torch.set_num_threads(before)
    for others in seen[1:]:
        assert all(torch.equal(a, b) for a, b in zip(seen[0], others, strict=True))


@pytest.mark.skipif(sys.platform != "linux" or "OpenMP" not in torch.__config__.show(), reason="for OpenMP on Linux")
def test_threads_are_those_of_pytorch():
    before = set(os.listdir("/proc/self/task"))
    layer, x = tg.torch.SparseLinear(GRAPHS["many blocks"]), torch.randn(64, 1700)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        torch.ones(500_000).sum()
        torch_has = set(os.listdir("/proc/self/task")) - before
        layer(x)
        assert set(os.listdir("/proc/self/task")) - before == torch_has
    finally:
        torch.set_num_threads(threads)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_does_not_wait_for_the_threads_of_its_parent():
    code = (
        "import os, sys, torch, topograph as tg\n"
        "torch.set_num_threads(2)\n"
        "layer = tg.torch.SparseLinear(tg.construct('erdos_renyi', 1024, 1024, density=0.05, seed=0))\n"
        "x = torch.randn(64, 1024)\n"
        "with torch.no_grad():\n"
        "    y = layer(x)\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        os._exit(0 if layer(x).numpy().tobytes() == y.numpy().tobytes() else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], timeout=120, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_half_precision_samples_are_summed_in_single_precision(kind):
    dtype = getattr(torch, kind)
    layer = tg.torch.SparseLinear(GRAPHS["irregular"])
    x = torch.randn(40, 67, dtype=dtype, requires_grad=True)
    y = layer(x)
    y.backward(torch.ones_like(y))
    assert y.dtype == x.grad.dtype == dtype
    assert layer.values.grad.dtype == torch.float32
    exact = x.detach().float().numpy() @ dense_copy(layer) + layer.bias.detach().numpy()
    assert torch.equal(y.detach(), torch.from_numpy(exact).to(dtype)) or np.allclose(
        y.detach().float(), exact, rtol=2 * torch.finfo(dtype).eps, atol=1e-6
    )
    assert layer.to(dtype)(x).dtype == dtype  # and values in half precision are taken, too


def test_autocast_takes_it_as_it_is():
    model = torch.nn.Sequential(torch.nn.Linear(20, 67), tg.torch.SparseLinear(GRAPHS["irregular"]))
    with torch.autocast("cpu", torch.bfloat16):
        y = model(torch.randn(4, 20))
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in model.parameters())


def test_copied_saved_and_loaded_it_is_the_same_layer():
    model = sequence(GRAPHS["irregular"], tg.construct("erdos_renyi", 41, 5, density=0.5, seed=0))
    x = torch.randn(9, 67)
    assert torch.equal(copy.deepcopy(model)(x), model(x))
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, weights_only=False)(x), model(x))
    other = sequence(tg.construct("erdos_renyi", 67, 41, density=0.1, seed=5), tg.construct("dense", 41, 5))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(x), model(x))
    assert other[0].graph == model[0].graph
    assert set(model.state_dict()) == {
        f"{layer}.{name}" for layer in "02" for name in ("values", "bias", "indptr", "indices", "shape")
    }


def test_what_is_kept_of_the_pattern_follows_its_buffers():
    layer = tg.torch.SparseLinear(GRAPHS["irregular"])
    x = torch.randn(40, 67)
    expected = layer(x)
    assert layer._pattern() is layer._pattern()
    assert "_kept_pattern" in vars(layer)
    assert "_kept_pattern" not in vars(copy.deepcopy(layer))
    layer.share_memory()  # the same tensors, with their numbers elsewhere
    assert layer._pattern().arrays[0].ctypes.data == layer.starts.data_ptr()
    assert torch.equal(layer(x), expected)
    assert torch.equal(layer.to(torch.float64).to(torch.float32)(x), expected)
    other = tg.torch.SparseLinear(tg.construct("random_regular", 67, 41, degree=3, seed=0))
    swapped = dict(other.named_parameters()) | dict(other.named_buffers())
    assert torch.equal(torch.func.functional_call(layer, swapped, (x,)), other(x))
    assert torch.equal(layer(x), expected)


def test_a_damaged_state_dict_changes_nothing():
    layer = tg.torch.SparseLinear(GRAPHS["irregular"])
    state, before = layer.state_dict(), {name: one.clone() for name, one in layer.state_dict().items()}
    for damaged in (
        {**state, "indices": state["indices"].flip(0)},
        {**state, "indptr": state["indptr"] * 2},
        {**state, "values": state["values"][:-1], "indptr": state["indptr"].clamp(max=3)},
        tg.torch.SparseLinear(GRAPHS["dense"]).state_dict(),
    ):
        with pytest.raises(RuntimeError, match="pattern does not fit"):
            layer.load_state_dict(damaged)
        assert all(torch.equal(one, before[name]) for name, one in layer.state_dict().items())


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
def test_rewiring_keeps_values_and_memory_of_the_edges_that_stay(name):
    first = tg.construct("erdos_renyi", 30, 20, density=0.2, seed=0)
    second = tg.construct("erdos_renyi", 30, 20, density=0.3, seed=1)
    layer = tg.torch.SparseLinear(first)
    options = {"momentum": 0.9} if name != "Adam" else {}
    optimizer = getattr(torch.optim, name)(layer.parameters(), lr=0.01, **options)
    for _ in range(3):
        optimizer.zero_grad()
        layer(torch.randn(8, 30)).square().sum().backward()
        optimizer.step()
    parameter = layer.values

    def by_edge(tensor):
        return dict(zip(map(tuple, layer.graph.edges().tolist()), tensor.tolist(), strict=True))

    def remembered():
        tensors = {"values": layer.values, "grad": layer.values.grad}
        tensors |= {k: v for k, v in optimizer.state[parameter].items() if v is not None and v.dim()}
        return {key: by_edge(tensor) for key, tensor in tensors.items()}

    before = remembered()
    layer.rewire(second, optimizer)
    after = remembered()
    assert len(before) > 2
    assert layer.values is parameter
    assert layer.graph == second
    for key, edges in before.items():
        assert after[key] == {edge: edges.get(edge, 0.0) for edge in map(tuple, second.edges().tolist())}
    optimizer.zero_grad()
    layer(torch.randn(8, 30)).square().sum().backward()
    optimizer.step()
    x = torch.randn(4, 30)
    np.testing.assert_allclose(
        layer(x).detach(), x.numpy() @ dense_copy(layer) + layer.bias.detach().numpy(), rtol=1e-4, atol=1e-5
    )


def test_new_edges_start_as_they_are_told():
    first, second = tg.BipartiteGraph.from_mask([[1, 0], [0, 1]]), tg.BipartiteGraph.from_mask([[1, 1], [1, 0]])
    layer = tg.torch.SparseLinear(first)
    stays = layer.values[0].item()
    layer.rewire(second, new_values=[0.5, -0.5])
    assert layer.values.tolist() == [stays, 0.5, -0.5]
    with pytest.raises(InvalidParameterError, match=r"one per new edge \(1\), but got shape \(2,\)"):
        layer.rewire(first, new_values=[1, 2])
    assert layer.graph == second


def test_dense_layers_become_sparse_and_back():
    dense = torch.nn.Linear(20, 10)
    graph = tg.construct("erdos_renyi", 20, 10, density=0.3, seed=0)
    layer = tg.torch.SparseLinear.from_linear(dense, graph)
    mask = torch.from_numpy(graph.to_mask().T)
    assert torch.equal(layer.weight, dense.weight * mask)
    again = layer.to_linear()
    assert torch.equal(again.weight, dense.weight * mask)
    assert torch.equal(again.bias, dense.bias)
    assert tg.torch.SparseLinear.from_linear(again).graph == graph
    layer.weight.sum().backward()
    assert torch.equal(layer.values.grad, torch.ones(graph.n_edges))


def test_initial_values_are_scaled_by_the_edges_of_each_output():
    graph = tg.construct("barabasi_albert", 300, 200, density=0.2, seed=0)
    layer = tg.torch.SparseLinear(graph)
    bound = graph.right_degrees[graph.indices] ** -0.5
    scaled = layer.values.detach().numpy() / bound
    assert np.abs(scaled).max() <= 1 + 1e-6
    assert abs(scaled.var() - 1 / 3) < 0.02


def test_what_does_not_fit_is_said():
    layer = tg.torch.SparseLinear(GRAPHS["irregular"])
    with pytest.raises(InvalidParameterError, match=r"67 inputs in their last dimension, but got shape \[4, 66\]"):
        layer(torch.ones(4, 66))
    with pytest.raises(InvalidParameterError, match=r"samples must be torch\.float32.*but got torch\.float64"):
        layer(torch.ones(4, 67, dtype=torch.float64))
    with pytest.raises(InvalidParameterError, match=r"dtype must be one of torch\.float32.*int32"):
        tg.torch.SparseLinear(GRAPHS["dense"], dtype=torch.int32)
    with pytest.raises(InvalidParameterError, match="bias must be true or false"):
        tg.torch.SparseLinear(GRAPHS["dense"], bias="yes")
    with pytest.raises(InvalidMaskError):
        tg.torch.SparseLinear(np.ones(3))
    with pytest.raises(TopologyMismatchError, match="layer is 67 × 41, but the new graph is 33 × 17"):
        layer.rewire(GRAPHS["dense"])
    with pytest.raises(TopologyMismatchError, match="20 inputs and 10 outputs, but the graph is 33 × 17"):
        tg.torch.SparseLinear.from_linear(torch.nn.Linear(20, 10), GRAPHS["dense"])


def test_a_nan_is_not_hidden():
    layer = tg.torch.SparseLinear(GRAPHS["dense"])
    x = torch.ones(3, 33)
    x[1, 5] = float("nan")
    y = layer(x)
    assert y[1].isnan().all()
    assert not y[0].isnan().any()


def test_without_pytorch_the_extra_is_named():
    code = "import sys; sys.modules['torch'] = None; import topograph; topograph.torch"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingDependencyError: this needs torch: pip install 'topograph[torch]'" in done.stderr


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.ones((2, 9), np.float32), "got a ndarray"),
        ([[1.0] * 9], "got a list"),
        (torch.eye(9).to_sparse(), "layout torch.sparse_coo"),
    ],
)
def test_samples_that_are_not_dense_tensors_are_refused(samples, words):
    with pytest.raises(InvalidParameterError, match=words):
        tg.torch.SparseLinear(GRAPHS["no edge"])(samples)


@pytest.mark.filterwarnings("ignore:Complex modules are a new feature")
def test_a_layer_of_complex_numbers_drops_no_imaginary_part_in_silence():
    layer = tg.torch.SparseLinear(GRAPHS["dense"]).to(torch.complex64)
    with pytest.raises(InvalidParameterError, match=r"but was turned into torch\.complex64"):
        layer(torch.ones(2, 33, dtype=torch.complex64))


@pytest.mark.parametrize("device", ["meta", "nowhere", "cuda:99", 1.5])
def test_a_device_that_cannot_hold_the_pattern_is_refused(device):
    with pytest.raises(InvalidParameterError, match="device"):
        tg.torch.SparseLinear(GRAPHS["dense"], device=device)


def test_what_is_not_an_optimizer_is_refused_before_the_edges_change():
    layer = tg.torch.SparseLinear(GRAPHS["irregular"])
    with pytest.raises(InvalidParameterError, match=r"must be a torch\.optim\.Optimizer, but got 'sgd'"):
        layer.rewire(tg.construct("dense", 67, 41), optimizer="sgd")
    assert layer.graph == GRAPHS["irregular"]


def test_a_processor_without_wide_registers_computes_the_same(tmp_path):
    code = """
import numpy as np, torch, topograph as tg
torch.manual_seed(0)
graph = tg.construct("erdos_renyi", 150, 130, density=0.3, seed=0)
layer, x, delta = tg.torch.SparseLinear(graph), torch.randn(70, 150, requires_grad=True), torch.randn(70, 130)
weight, (rows, columns) = layer.weight.detach().double().numpy(), graph.edges().T
layer(x).backward(delta)
given, back = x.detach().double().numpy(), delta.double().numpy()
assert np.allclose(x.grad, back @ weight, rtol=1e-4, atol=1e-4)
assert np.allclose(layer.values.grad, (given.T @ back)[rows, columns], rtol=1e-4, atol=1e-4)
print("same")
"""
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    assert fresh_process.run(code, tmp_path, NUMBA_CACHE_DIR=str(tmp_path), **plain) == ["same"]
