"""Masks on trees of JAX parameters stay exact under the optimizers of optax."""

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidParameterError, TopologyMismatchError, UnknownNameError

jax = pytest.importorskip("jax", reason="JAX is not installed")
optax = pytest.importorskip("optax", reason="optax is not installed")
jnp = jax.numpy


@pytest.fixture
def params():
    random = np.random.default_rng(0)
    shapes = {"Conv_0": (3, 3, 2, 4), "Dense_0": (36, 8), "Dense_1": (8, 3)}
    return {
        "params": {
            name: {"kernel": jnp.asarray(random.normal(size=shape)), "bias": jnp.zeros(shape[-1])}
            for name, shape in shapes.items()
        }
    }


def loss(params, x):
    layers = params["params"]
    x = jax.lax.conv_general_dilated(
        x, layers["Conv_0"]["kernel"], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    x = jax.nn.relu(x + layers["Conv_0"]["bias"]).reshape(len(x), -1)
    x = jax.nn.relu(x @ layers["Dense_0"]["kernel"] + layers["Dense_0"]["bias"])
    return jnp.square(x @ layers["Dense_1"]["kernel"] + layers["Dense_1"]["bias"] - 1).mean()


def test_a_tree_is_masked_where_there_are_masks(params):
    masks = tg.MaskSet.build(params, "random_regular", density=0.3, allocation="erk")
    assert list(masks) == [f"params.{name}.kernel" for name in ("Conv_0", "Dense_0", "Dense_1")]
    masked = masks.apply_tree(params)
    assert jax.tree_util.tree_structure(masked) == jax.tree_util.tree_structure(params)
    for name in ("Dense_0", "Dense_1"):
        kernel = params["params"][name]["kernel"]
        np.testing.assert_array_equal(
            masked["params"][name]["kernel"], np.where(masks[f"params.{name}.kernel"].to_mask(), kernel, 0)
        )
    assert masked["params"]["Conv_0"]["bias"] is params["params"]["Conv_0"]["bias"]
    assert dict(tg.load(masked)) == dict(masks)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_masks_hold_from_the_first_step(params, name):
    masks = tg.MaskSet.build(params, "erdos_renyi", density=0.3)
    inner = optax.adamw(0.01, weight_decay=0.1) if name == "adamw" else optax.sgd(0.01, momentum=0.9, nesterov=True)
    optimizer = masks.masked_optimizer(optax.chain(optax.clip_by_global_norm(1.0), inner))
    state = optimizer.init(params)  # the parameters are still dense
    x = jnp.asarray(np.random.default_rng(1).normal(size=(6, 5, 5, 2)))

    @jax.jit
    def step(params, state):
        gradients = jax.grad(loss)(params, x)
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    now = params
    for _ in range(4):
        now, state = step(now, state)
        assert dict(tg.load(now)) == dict(masks)
    keep = masks["params.Dense_0.kernel"].to_mask()
    before, after = (np.asarray(tree["params"]["Dense_0"]["kernel"]) for tree in (params, now))
    assert (before != after)[keep].mean() > 0.5
    memory = [leaf for leaf in jax.tree_util.tree_leaves(state.inner) if np.shape(leaf) == keep.shape]
    assert memory
    assert not any(np.asarray(leaf)[~keep].any() for leaf in memory)


def test_what_does_not_fit_is_refused(params):
    graph = tg.construct("dense", 4, 4)
    with pytest.raises(UnknownNameError, match="Dense_7"):
        tg.MaskSet({"params.Dense_7.kernel": graph}).apply_tree(params)
    with pytest.raises(TopologyMismatchError, match="takes a graph of 36 × 8"):
        tg.MaskSet({"params.Dense_0.kernel": graph}).apply_tree(params)
    with pytest.raises(InvalidParameterError, match="must be a dictionary"):
        tg.MaskSet({"0": graph}).apply_tree([jnp.ones((4, 4))])
    optimizer = tg.MaskSet.build(params, "random_regular", density=0.3).masked_optimizer(optax.sgd(0.1))
    with pytest.raises(InvalidParameterError, match="needs the parameters"):
        optimizer.update(params, optimizer.init(params))
