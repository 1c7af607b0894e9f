"""What people do with models keeps the masks exactly: a test for each row of the table in docs/masks_for_models.md."""

import copy
import os
import pathlib

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidParameterError, TopologyMismatchError, UnknownNameError
from topograph.masks import plain_state_dict

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
nn = torch.nn


class Network(nn.Module):
    """A convolution, a recurrent layer, attention and a head."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 8, 3, padding=1, groups=1)
        self.lstm = nn.LSTM(8, 8, batch_first=True)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        x = self.conv(x).transpose(1, 2)
        x, _ = self.lstm(x)
        x, _ = self.attention(x, x, x, need_weights=False)
        return self.head(x.mean(1))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Network()


@pytest.fixture
def masks(model):
    return tg.MaskSet.build(model, "erdos_renyi", density=0.3, seed=1)


def step(model, optimizer, forward=None):
    optimizer.zero_grad()
    (model if forward is None else forward)(torch.randn(5, 3, 6)).square().mean().backward()
    optimizer.step()


def optimizer_of(model):
    return torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.1)


def holds(model, masks):
    """Whether the model computes with no other edge, and with all of these, by the tensors themselves."""
    return dict(tg.load(model)) == dict(masks)


def moved(model, steps=3):
    """The model after some steps, and whether the weights changed."""
    optimizer = optimizer_of(model)
    before = model.head.weight.detach().clone()
    for _ in range(steps):
        step(model, optimizer)
    assert not torch.equal(before, model.head.weight)
    return model


# ------------------------------------------------------------------ final, and back


def test_final_masks_leave_the_keys_of_a_model_that_never_had_any(model, masks):
    keys, order = list(model.state_dict()), [name for name, _ in model.named_parameters()]
    parameters = dict(model.named_parameters())
    optimizer = optimizer_of(model)
    masks.apply_to(model)
    step(model, optimizer)
    masks_of_tensors = {name: value.clone() for name, value in plain_state_dict(model).items()}
    assert masks.remove_from(model) == tuple(dict.fromkeys(name.split(":")[0] for name in masks))
    assert list(model.state_dict()) == keys
    assert [name for name, _ in model.named_parameters()] == order
    assert all(parameters[name] is parameter for name, parameter in model.named_parameters())
    assert type(model.head) is nn.Linear
    assert type(model.lstm) is nn.LSTM
    assert all(torch.equal(value, masks_of_tensors[name]) for name, value in model.state_dict().items())
    assert holds(model, masks)
    Network().load_state_dict(model.state_dict())
    step(model, optimizer)  # the optimizer made before still trains it, now without masks
    assert not holds(model, masks)


def test_a_mask_that_is_not_there_is_not_removed(model, masks):
    tg.MaskSet({"head": masks["head.weight"]}).apply_to(model)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(InvalidParameterError, match=r"conv\.weight has no mask"):
        masks.remove_from(model)
    assert list(model.state_dict()) == list(before)


def test_checkpoints_go_both_ways(model, masks, tmp_path):
    plain = copy.deepcopy(model)
    masks.apply_to(model)
    moved(model)
    torch.save(model.state_dict(), tmp_path / "masked.pt")
    state = torch.load(tmp_path / "masked.pt", weights_only=True)
    plain.load_state_dict(plain_state_dict(state))  # masked → plain
    x = torch.randn(2, 3, 6)
    assert torch.equal(plain(x), model(x))
    again = Network()
    tg.MaskSet.build(again, "random_regular", density=0.5).apply_to(again)
    again.load_state_dict(state)  # masked → masked: the masks come with the weights
    assert holds(again, masks)
    assert torch.equal(again(x), model(x))
    dense = Network()
    model.load_state_dict(dense.state_dict())  # plain → masked: the masks stay
    assert holds(model, masks)
    assert torch.equal(model.head.weight != 0, state["head.parametrizations.weight.0.mask"])
    with pytest.raises(RuntimeError, match="Missing key"):
        model.load_state_dict({"head.bias": torch.zeros(4)})


# ------------------------------------------------------------------ the table


def test_deep_copies(model, masks):
    masks.apply_to(model)
    model(torch.randn(5, 3, 6))  # a masked LSTM keeps what it computed, which PyTorch cannot copy
    twin = copy.deepcopy(copy.deepcopy(model))
    x = torch.randn(5, 3, 6)
    assert torch.equal(twin(x), model(x))
    before = model.lstm.weight_hh_l0.detach().clone()
    assert holds(moved(twin), masks)
    assert torch.equal(model.lstm.weight_hh_l0, before)
    assert type(copy.deepcopy(twin.lstm)) is type(model.lstm)


@pytest.mark.filterwarnings("ignore")
def test_compiled(model, masks):
    masks.apply_to(model)
    compiled = torch.compile(model, backend="aot_eager")
    optimizer = optimizer_of(model)
    x = torch.randn(5, 3, 6)
    torch.testing.assert_close(compiled(x), model(x))
    for _ in range(2):
        step(model, optimizer, compiled)
    assert holds(model, masks)


@pytest.mark.parametrize("kind", ["ema", "swa"])
def test_averaged_copies(model, masks, kind):
    swa = torch.optim.swa_utils
    masks.apply_to(model)
    average = swa.AveragedModel(model, multi_avg_fn=swa.get_ema_multi_avg_fn(0.9) if kind == "ema" else None)
    optimizer = optimizer_of(model)
    for _ in range(3):
        step(model, optimizer)
        average.update_parameters(model)
    assert holds(average.module, masks)
    assert not torch.equal(average.module.head.weight, model.head.weight)


def test_mixed_precision(model, masks):
    masks.apply_to(model)
    optimizer = optimizer_of(model)
    for _ in range(3):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(torch.randn(5, 3, 6)).float().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert holds(model, masks)
    assert holds(model.to(torch.bfloat16), masks)


def test_gradient_checkpointing(model, masks):
    masks.apply_to(model)
    twin = copy.deepcopy(model)
    x = torch.randn(5, 3, 6)
    model(x).square().mean().backward()
    torch.utils.checkpoint.checkpoint(twin, x, use_reentrant=False).square().mean().backward()
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    optimizer_of(twin).step()
    assert holds(twin, masks)


def test_data_parallel(model, masks):
    masks.apply_to(model)
    parallel = nn.DataParallel(model)
    optimizer = optimizer_of(model)
    for _ in range(2):
        step(model, optimizer, parallel)
    assert holds(model, masks)
    assert list(plain_state_dict(parallel)) == [f"module.{name}" for name in plain_state_dict(model)]


def _rank(rank, folder):
    """One of two processes: its own data, the same masks, and the weights compared at the end."""
    import torch.distributed as dist

    os.environ |= {"GLOO_SOCKET_IFNAME": "lo"}
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.manual_seed(rank)  # every process starts from other weights; DDP sends those of the first
    model = Network()
    masks = tg.MaskSet.build(model, "erdos_renyi", density=0.3, seed=1 + rank)  # and other masks
    masks.apply_to(model)
    parallel = nn.parallel.DistributedDataParallel(model)
    optimizer = optimizer_of(model)
    for _ in range(3):
        step(model, optimizer, parallel)
    tg.load(model).save(pathlib.Path(folder, f"{rank}.npz"))
    torch.save(plain_state_dict(model), pathlib.Path(folder, f"{rank}.pt"))
    dist.destroy_process_group()


def test_two_processes(model, masks, tmp_path):
    if not torch.distributed.is_available():
        pytest.skip("this PyTorch has no torch.distributed")
    torch.multiprocessing.spawn(_rank, (str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    for rank in (0, 1):
        assert dict(tg.load(tmp_path / f"{rank}.npz")) == dict(masks)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop"])
def test_an_optimizer_made_before_or_after(model, masks, name, when):
    options = {"lr": 0.05, "weight_decay": 0.1} | ({} if name == "AdamW" else {"momentum": 0.9})
    optimizer = getattr(torch.optim, name)(model.parameters(), **options)
    for _ in range(2):
        step(model, optimizer)
    masks.apply_to(model)
    if when == "after":
        optimizer = getattr(torch.optim, name)(model.parameters(), **options)
    before = model.conv.weight.detach().clone()
    for _ in range(3):
        step(model, optimizer)
    assert not torch.equal(before, model.conv.weight)
    assert holds(model, masks)


# ------------------------------------------------------------------ with what is there already


def test_weight_norm_and_spectral_norm_stay_below_the_mask():
    from torch.nn.utils import parametrizations

    for wrap in (parametrizations.weight_norm, parametrizations.spectral_norm):
        model = wrap(nn.Linear(20, 10))
        masks = tg.MaskSet.build(model, "random_regular", density=0.2)
        masks.apply_to(model)
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        for _ in range(3):
            model(torch.randn(4, 20)).square().mean().backward()
            optimizer.step()
        assert dict(tg.load(model)) == dict(masks)
        with pytest.raises(InvalidParameterError, match=r"is computed by _.*Norm, too"):
            masks.remove_from(model)
        torch.nn.utils.parametrize.remove_parametrizations(model, "weight")
        assert dict(tg.load(model)) == dict(masks)


def test_a_pruned_weight_is_made_final_first():
    from torch.nn.utils import prune

    model = nn.Sequential(nn.Linear(20, 10), nn.Linear(10, 5))
    prune.random_unstructured(model[1], "weight", 0.5)
    before = list(model.state_dict())
    masks = tg.MaskSet.build(model, "random_regular", density=0.2)
    with pytest.raises(InvalidParameterError, match=r"1\.weight is pruned by torch\.nn\.utils\.prune; make that final"):
        masks.apply_to(model)
    assert list(model.state_dict()) == before  # the first layer, which could be masked, is as it was
    prune.remove(model[1], "weight")
    masks.apply_to(model)
    assert set(dict(tg.load(model))["1.weight"].edges().tobytes()) <= set(masks["1.weight"].edges().tobytes())


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
def test_under_the_old_weight_norm_the_mask_lies_on_the_directions():
    model = nn.Sequential(torch.nn.utils.weight_norm(nn.Linear(20, 10)), nn.ReLU(), nn.Linear(10, 3))
    before = list(model.state_dict())
    with pytest.raises(UnknownNameError, match=r"unknown layer '0\.weight'.*0\.weight_v"):
        tg.MaskSet({"0.weight": tg.construct("random_regular", 20, 10, degree=2)}).apply_to(model)
    assert list(model.state_dict()) == before
    masks = tg.MaskSet.build(model, "erdos_renyi", density=0.3, seed=0)
    masks.apply_to(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(5, 20)).square().sum().backward()
        optimizer.step()
    model(torch.randn(5, 20))
    assert np.array_equal((model[0].weight != 0).T, masks["0.weight_v"].to_mask())
    masks.remove_from(model)
    assert list(model.state_dict()) == before
    model(torch.randn(5, 20))
    assert np.array_equal((model[0].weight != 0).T, masks["0.weight_v"].to_mask())


@pytest.mark.filterwarnings("ignore:.*spectral_norm.* is deprecated:FutureWarning")
def test_the_old_spectral_norm_is_refused():
    model = nn.Sequential(torch.nn.utils.spectral_norm(nn.Linear(20, 10)))
    before = list(model.state_dict())
    with pytest.raises(InvalidParameterError, match=r"0\.weight is computed from other tensors by a hook"):
        tg.MaskSet({"0": tg.construct("random_regular", 20, 10, degree=2)}).apply_to(model)
    assert list(model.state_dict()) == before


def test_a_call_that_fails_changes_nothing(model, masks):
    wrong = dict(masks) | {"head.weight": tg.construct("dense", 3, 3)}
    before = list(model.state_dict())
    with pytest.raises(TopologyMismatchError, match=r"head\.weight takes a graph of 8 × 4"):
        tg.MaskSet(wrong).apply_to(model)
    assert list(model.state_dict()) == before


def test_tensors_in_shared_memory_stay_there():
    model = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
    model[1].weight.data = model[0].weight.data
    tg.MaskSet({"0": tg.construct("random_regular", 8, 8, degree=2)}).apply_to(model)
    originals = [layer.parametrizations.weight.original for layer in model]
    assert originals[0].data_ptr() == originals[1].data_ptr()
    assert torch.equal(model[0].weight, model[1].weight)
    assert int((model[0].weight != 0).sum()) == 16


# ------------------------------------------------------------------ Keras


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_keras_saves_and_loads(tmp_path):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    random = np.random.default_rng(0)
    x, y = random.normal(size=(32, 12)).astype("f4"), random.normal(size=(32, 3)).astype("f4")

    def network(compiled=True):
        made = keras.Sequential([keras.Input((12,)), keras.layers.Dense(9, name="a"), keras.layers.Dense(3, name="b")])
        if compiled:
            made.compile(keras.optimizers.Adam(0.05), "mse")
        return made

    model = network()
    masks = tg.MaskSet.build(model, "random_regular", density=0.4)
    masks.apply_to(model)
    model.fit(x, y, epochs=2, verbose=0)
    assert dict(tg.load(model)) == dict(masks)
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    masks.save(tmp_path / "masks.npz")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert dict(tg.load(loaded)) == dict(masks)
    tg.load(tmp_path / "masks.npz").apply_to(loaded)
    loaded.fit(x, y, epochs=2, verbose=0)
    assert dict(tg.load(loaded)) == dict(masks)
    other = network(compiled=False)
    other.load_weights(tmp_path / "m.weights.h5")
    assert dict(tg.load(other)) == dict(masks)
    np.testing.assert_array_equal(loaded.get_layer("a").kernel.shape, other.get_layer("a").kernel.shape)


def test_a_keras_optimizer_that_averages_weights_is_refused():
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(9, name="a")])
    model.compile(keras.optimizers.Adam(0.05, use_ema=True), "mse")
    with pytest.raises(InvalidParameterError, match="use_ema=True averages weights before the masks"):
        tg.MaskSet.build(model, "random_regular", density=0.4).apply_to(model)
    assert model.get_layer("a").kernel.constraint is None


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_keras_masks_are_made_final():
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    model = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Dense(9, name="a"),
            keras.layers.Dense(3, name="b", kernel_constraint="non_neg"),
        ]
    )
    model.compile("sgd", "mse")
    masks = tg.MaskSet.build(model, "random_regular", density=0.4)
    own = model.get_layer("b").kernel.constraint
    with pytest.raises(InvalidParameterError, match="a/kernel has no mask"):
        masks.remove_from(model)
    masks.apply_to(model)
    x, y = np.ones((8, 12), "f4"), np.ones((8, 3), "f4")
    model.fit(x, y, verbose=0)
    assert masks.remove_from(model) == ("a/kernel", "b/kernel")
    kernel = model.get_layer("a").kernel
    assert not keras.ops.convert_to_numpy(kernel.value)[~masks["a/kernel"].to_mask()].any()
    assert kernel.constraint is None
    assert model.get_layer("b").kernel.constraint is own
    model.fit(x, y, verbose=0)
    assert tg.load(model)["a/kernel"].n_edges > masks["a/kernel"].n_edges  # it trains without the mask again
