"""A tracker writes down what changed, recomputes nothing that did not, and rings before a layer is empty."""

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidMaskError, InvalidParameterError, UnknownNameError
from topograph.tracking import CollapseWarning, read_history
from topograph.tracking import tracker as tracker_module


@pytest.fixture
def torch():
    module = pytest.importorskip("torch", reason="PyTorch is not installed")
    module.manual_seed(0)
    return module


def value(table, layer, metric, step):
    chosen = table[(table.layer == layer) & (table.metric == metric) & (table.step == step)]
    assert len(chosen) == 1
    return chosen.value.item()


def test_changes_agree_with_sets_of_edges():
    random = np.random.default_rng(0)
    masks = {"a": random.random((9, 7)) < 0.5, "b": random.random((7, 5)) < 0.5}
    tracker = tg.Tracker(masks, metrics=["density"])
    seen = []
    for step in range(6):
        if step in (2, 3, 5):  # arrays are changed in place, as in somebody's sparse training
            masks["a"][random.integers(9, size=4), random.integers(7, size=4)] ^= True
        tracker.update(step)
        seen.append({name: set(zip(*np.nonzero(mask), strict=True)) for name, mask in masks.items()})
    table = tracker.table()
    ever = set()
    for step, now in enumerate(seen):
        before, first = seen[max(step - 1, 0)]["a"], seen[0]["a"]
        edges = now["a"]
        ever |= edges
        assert value(table, "a", "grown", step) == len(edges - before)
        assert value(table, "a", "dropped", step) == len(before - edges)
        assert value(table, "a", "turnover", step) == len(edges ^ before) / (len(edges) + len(before))
        assert value(table, "a", "overlap_previous", step) == len(edges & before) / len(edges | before)
        assert value(table, "a", "overlap_first", step) == len(edges & first) / len(edges | first)
        assert value(table, "a", "explored", step) == len(ever) / 63
        assert value(table, "a", "density", step) == pytest.approx(len(edges) / 63)
        assert value(table, "a", "isolated_left", step) == 9 - len({i for i, _ in edges})
        assert value(table, "a", "isolated_right", step) == 7 - len({j for _, j in edges})
        both, union = len(edges & before) + len(now["b"]), len(edges | before) + len(now["b"])
        assert value(table, "network", "overlap_previous", step) == pytest.approx(both / union)
        assert value(table, "network", "density", step) == pytest.approx((len(edges) + len(now["b"])) / 98)
        assert value(table, "b", "turnover", step) == 0


def test_nothing_is_measured_where_nothing_changed(monkeypatch):
    measured = []
    measure = tracker_module.measure
    monkeypatch.setattr(
        tracker_module, "measure", lambda masks, *a, **k: measured.append(list(masks)) or measure(masks, *a, **k)
    )
    masks = {"a": np.eye(6), "b": np.ones((6, 3))}
    tracker = tg.Tracker(masks, metrics=["algebraic_connectivity"])
    for step in range(4):
        if step == 2:
            masks["a"][0, 1] = 1
        if step == 3:
            masks["b"] *= 2  # other weights, the same edges
        tracker.update(step)
    assert measured == [["a", "b"], ["a"]]
    assert tracker.wide("algebraic_connectivity").b.tolist() == [3.0] * 4
    assert tracker.wide("turnover").a.tolist() == [0, 0, 1 / 13, 0]


def test_metrics_of_a_model_agree_with_measure(torch):
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 4, 3, groups=2), torch.nn.LSTM(20, 15))
    masks = tg.MaskSet.build(model, "erdos_renyi", density=0.4, seed=0)
    masks.apply_to(model)
    names = ["density", "normalized_gap", "n_components"]
    tracker = tg.Tracker(model, names)
    tracker.update(0)
    other = tg.MaskSet.build(model, "erdos_renyi", density=0.4, seed=1)
    other.apply_to(model)
    tracker.update(1, test_accuracy=0.5)
    assert dict(tracker.masks()) == dict(other)
    for step, expected in enumerate((masks, other)):
        table = tg.measure(expected, names)
        for layer in masks:
            for name in names:
                assert value(tracker.table(), layer, name, step) == pytest.approx(table.at[layer, name], rel=1e-9)
    assert value(tracker.table(), "network", "test_accuracy", 1) == 0.5


def test_a_chain_has_metrics_of_the_network(torch):
    topology = tg.Topology.build("random_regular", [12, 8, 4], degrees=2, seed=0)
    expected = tg.measure(topology, ["dead_neurons", "log_path_count"]).loc["network"]
    model = torch.nn.Sequential(torch.nn.Linear(12, 8), torch.nn.Linear(8, 4))
    topology.apply_to(model)
    for target, chain in ((topology, False), (model, True), (model, ["0", "1"])):
        tracker = tg.Tracker(target, ["dead_neurons", "log_path_count"], chain=chain)
        tracker.update()
        for name in ("dead_neurons", "log_path_count"):
            assert value(tracker.table(), "network", name, 0) == expected[name]


def test_what_is_watched_can_be_a_function_and_every_tenth_call():
    holder = {"masks": tg.MaskSet({"a": tg.construct("dense", 4, 4)})}
    tracker = tg.Tracker(lambda: holder["masks"], ["density"], every=2)
    tracker.update(0)
    holder["masks"] = tg.MaskSet({"a": tg.construct("regular_rotating", 4, 4, degree=2)})
    tracker.update(1)
    tracker.update(2)
    assert tracker.wide("density").a.tolist() == [1.0, 0.5]
    assert tracker.wide("density").index.tolist() == [0, 2]


def test_an_alarm_rings_before_a_layer_is_empty():
    masks = {"a": np.ones((10, 10))}
    rung = []
    tracker = tg.Tracker(masks, ["density"], on_alarm=rung.append)
    for step, edges in enumerate([100, 90, 80, 60, 45, 34, 33]):
        masks["a"] = np.arange(100).reshape(10, 10) < edges
        tracker.update(step)
    assert rung == ["step 4: a has 45 edges after losing 20 and 15: none within three more updates like these"]
    assert [step for step, _, _ in tracker.alarms] == [4]
    masks["a"] = np.eye(10) * (np.arange(10) == 3)
    tracker.update(7)
    masks["a"] = np.ones((10, 10))
    tracker.update(8)
    masks["a"] = np.zeros((10, 10))
    tracker.update(9)
    assert rung[-1] == "step 9: a has no edge any more"
    quiet = tg.Tracker({"a": np.eye(40)[:1]}, ["density"], alarm_below=0.1)
    with pytest.warns(CollapseWarning, match="step 0: a has edges at only 1 of its 40 outputs"):
        quiet.update(0)


@pytest.mark.parametrize("ending", ["parquet", "sqlite"])
def test_what_is_on_disk_is_the_table(tmp_path, ending):
    masks = {"a": np.eye(6)}
    path = tmp_path / f"run.{ending}"
    tracker = tg.Tracker(masks, ["density"], path=path)
    for step in range(120):
        masks["a"][step % 6, step % 5] = step % 2
        tracker.update(step)
        if step == 10:
            assert len(read_history(path)) == len(tracker.table())
    read, table = read_history(path), tracker.table()
    order = ["step", "layer", "metric"]
    assert read.sort_values(order).values.tolist() == table.sort_values(order).values.tolist()
    if ending == "parquet":
        assert len(list(path.iterdir())) < 60
    again = tg.Tracker(masks, ["density"], path=path)  # resumed: steps that are written twice count once
    again.update(119)
    assert len(read_history(path)) == len(read)


def test_numbers_go_to_whatever_logs_them():
    logged = []

    def with_step(values, step=None):
        logged.append((step, values))

    for log in (with_step, lambda values: logged.append((None, values))):
        tg.Tracker({"a": np.eye(3)}, ["density"], log=log).update(7, loss=0.5)
    assert [step for step, _ in logged] == [7, None]
    assert all(values["a/density"] == pytest.approx(1 / 3) and values["network/loss"] == 0.5 for _, values in logged)


def test_bad_input_is_refused(torch):
    with pytest.raises(InvalidMaskError, match=r"no mask among|is empty"):
        tg.Tracker(torch.nn.ReLU())
    with pytest.raises(UnknownNameError, match="algebraic_connectivity"):
        tg.Tracker({"a": np.eye(3)}, ["algebraic_conectivity"])
    with pytest.raises(InvalidParameterError, match="every must be"):
        tg.Tracker({"a": np.eye(3)}, every=0)
    with pytest.raises(InvalidParameterError, match=r"ending in \.parquet"):
        tg.Tracker({"a": np.eye(3)}, path="run.csv")
    with pytest.raises(InvalidParameterError, match="log must be a function"):
        tg.Tracker({"a": np.eye(3)}, log=3)
    with pytest.raises(InvalidParameterError, match="framework must be one of lightning, transformers, keras"):
        tg.Tracker({"a": np.eye(3)}).callback("jax")
    tracker = tg.Tracker({"a": np.eye(3)}, ["density"])
    tracker.update()
    with pytest.raises(InvalidParameterError, match="metric must be one that is tracked, density"):
        tracker.wide("gap")
    tracker.target = {"b": np.eye(3)}
    with pytest.raises(InvalidMaskError, match=r"new \['b'\], gone \['a'\]"):
        tracker.update()
    with pytest.raises(tg.TopographError, match="no tracker has written there"):
        read_history("nowhere.parquet")


def test_the_network_of_any_model_is_watched_by_an_example(torch):
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(8, 2)).train()
    tracker = tg.Tracker(model, ["effective_density", "dead_neurons"], example=(1, 4, 4))
    tracker.update(0)
    with torch.no_grad():
        model[0].weight[1] = 0.0
        model[2].weight[:, 4:] = 0.0
    tracker.update(1)
    assert tracker.wide("effective_density")["network"].tolist() == [1.0, (9 + 8) / (18 + 16)]
    assert tracker.wide("dead_neurons")["network"].tolist() == [0, 1]
    assert model.training
    table = tg.measure(model, ["effective_density", "dead_neurons"], example=(1, 4, 4))
    assert tracker.wide("effective_density")["network"].iloc[-1] == table.loc["network", "effective_density"]


def test_a_network_that_cannot_be_read_is_refused_before_the_first_update(torch):
    with pytest.raises(tg.TopographError, match="does not take the example"):
        tg.Tracker(torch.nn.Linear(3, 2), example=(4,))
    with pytest.raises(tg.TopographError, match="leave out example="):
        tg.Tracker({"a": np.eye(3)}, example=(3,))
    with pytest.raises(tg.TopographError, match="chain= and example="):
        tg.Tracker(torch.nn.Linear(3, 2), chain=True, example=(3,))
