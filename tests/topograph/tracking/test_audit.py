"""The audit finds masks that do not hold, optimizers that remember, and evaluations on masks that were not trained."""

import numpy as np
import pytest

import topograph as tg

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


def masked(seed=0):
    model = torch.nn.Sequential(torch.nn.Linear(20, 15), torch.nn.Linear(15, 5))
    masks = tg.MaskSet.build(model, "random_regular", density=0.3, seed=seed)
    return model, masks


def step(model, optimizer):
    optimizer.zero_grad()
    model(torch.randn(8, 20)).square().mean().backward()
    optimizer.step()


def verdicts(table, check):
    return sorted(set(table[table.check == check].verdict))


def test_a_clean_run_has_no_fault():
    model, masks = masked()
    masks.apply_to(model)
    optimizer = torch.optim.AdamW(model.parameters())
    tracker = tg.Tracker(model, ["density"], optimizer=optimizer)
    for _ in range(2):
        step(model, optimizer)
        tracker.evaluated()
        tracker.update()
    table = tracker.audit()
    assert list(table.columns) == ["check", "layer", "verdict", "detail"]
    for check in ("mask", "optimizer", "evaluation"):
        assert verdicts(table, check) == ["ok"]


def test_an_optimizer_that_remembers_removed_edges_is_a_fault():
    model, masks = masked()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    step(model, optimizer)  # dense
    masks.apply_to(model)
    tracker = tg.Tracker(model, ["density"])
    table = tracker.audit(optimizer)
    faults = table[table.check == "optimizer"]
    assert verdicts(table, "optimizer") == ["fault"]
    removed = 300 - masks["0.weight"].n_edges
    assert f"momentum_buffer has {removed} numbers there" in faults.detail.iloc[0]


def test_an_evaluation_on_a_mask_that_was_not_trained_is_a_fault():
    model, masks = masked()
    masks.apply_to(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tracker = tg.Tracker(model, ["density"], optimizer=optimizer)
    step(model, optimizer)
    tracker.update(0)
    tracker.evaluated()
    assert verdicts(tracker.audit(), "evaluation") == ["ok"]
    with torch.no_grad():  # a rewiring in place, after the last step
        model[1].parametrizations.weight[0].mask[0] ^= True
    tracker.evaluated()
    (fault,) = tracker.audit().query("check == 'evaluation'").itertuples()
    assert (fault.verdict, fault.layer) == ("fault", "1.weight")
    masks.apply_to(model)  # a mask that is replaced counts as another one, too
    step(model, optimizer)
    tracker.evaluated()
    assert len(tracker.audit().query("check == 'evaluation'")) == 1


def test_weights_that_break_a_pruning_mask_are_a_fault():
    from torch.nn.utils import prune

    model, _ = masked()
    prune.random_unstructured(model[0], "weight", 0.5)
    tracker = tg.Tracker(model, ["density"])
    assert verdicts(tracker.audit(), "mask") == ["ok"]
    model[0].weight = torch.ones(15, 20)  # computed anew only at the next forward pass
    (fault,) = tracker.audit().query("check == 'mask'").itertuples()
    assert (fault.verdict, fault.layer, fault.detail) == (
        "fault",
        "0.weight",
        "150 weights are not 0 where the mask has no edge",
    )


def test_what_cannot_be_known_is_said():
    table = tg.Tracker({"a": np.eye(3)}, ["density"]).audit()
    assert set(table.verdict) == {"unknown"}


def test_keras():
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(9, name="a")])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    masks = tg.MaskSet.build(model, "random_regular", density=0.4)
    masks.apply_to(model)
    model.fit(np.ones((8, 12), "f4"), np.ones((8, 9), "f4"), verbose=0)
    tracker = tg.Tracker(model, ["density"])
    table = tracker.audit(model.optimizer)
    assert verdicts(table, "mask") == ["ok"]
    assert verdicts(table, "optimizer") == ["fault"]  # a constraint acts on weights, not on their momentum
    model.get_layer("a").kernel.assign(np.ones((12, 9), "f4"))
    assert verdicts(tracker.audit(), "mask") == ["fault"]
