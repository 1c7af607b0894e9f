import pickle

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import topograph as tg
import trainers
from topograph.errors import InvalidParameterError, TopologyMismatchError
from trainers.numpy_sparse.classifier import SparseMLPClassifier
from trainers.numpy_sparse.regressor import SparseMLPRegressor

WEIGHTS = "weights and repeated samples differ where batches are drawn: scikit-learn's own stochastic estimators do too"
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": WEIGHTS,
    "check_sample_weight_equivalence_on_sparse_data": WEIGHTS,
}


@parametrize_with_checks(
    [SparseMLPClassifier(epochs=60, random_state=0), SparseMLPRegressor(epochs=60, random_state=0)],
    expected_failed_checks=lambda estimator: EXPECTED,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("loss", ["classifier", "regressor"])
def test_weights_are_those_of_the_formula(make_task, loss):
    """One step over all samples at once, against the gradient written out."""
    x, _ = make_task(50, 12, 3)
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(50) % 3)
    weights = rng.random(50) * 4
    topology = tg.Topology.build("random_regular", [12, 3], degrees=2, seed=0)
    settings = {
        "epochs": 1, "batch_size": 50, "optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.5, "random_state": 0
    }  # fmt: skip
    if loss == "classifier":
        model, targets = SparseMLPClassifier(topology, **settings), np.eye(3)[labels]
        model.fit(x, labels, sample_weight=weights)
    else:
        targets = rng.normal(size=(50, 3))
        model = SparseMLPRegressor(topology, **settings).fit(x, targets, sample_weight=weights)
        targets = (targets - targets.mean(axis=0)) / targets.std(axis=0)
    start = [
        w.toarray()
        for w in SparseMLPClassifier(topology, **settings | {"learning_rate": 1e-30}).fit(x, labels).weights_
    ]
    z = x @ start[0]
    if loss == "classifier":
        y = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        delta, expected = (y - targets) / 50, -(targets * np.log(y)).sum(axis=1)
    else:
        delta, expected = 2 * (z - targets) / (50 * 3), ((z - targets) ** 2).mean(axis=1)
    scaled = weights / weights.mean()
    gradient = x.T @ (delta * scaled[:, None]) * topology[0].to_mask()
    np.testing.assert_allclose(model.weights_[0].toarray(), start[0] - 0.5 * gradient, atol=1e-6)
    assert model.loss_curve_[0] == pytest.approx((scaled * expected).mean(), rel=1e-5)


def test_equal_weights_change_nothing():
    x, y = load_digits(return_X_y=True)
    plain, weighted, by_class = (
        SparseMLPClassifier(hidden=16, epochs=3, random_state=0, class_weight=weight).fit(x / 16, y, sample_weight=each)
        for weight, each in ((None, None), (None, np.full(len(x), 7.0)), (dict.fromkeys(range(10), 2.0), None))
    )
    for model in (weighted, by_class):
        np.testing.assert_allclose(model.loss_curve_, plain.loss_curve_, rtol=1e-4)


def test_a_rare_class_is_found_with_balanced_weights():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 8))
    y = (x[:, 0] + rng.normal(size=600) > 2.2).astype(int)
    assert 0.02 < y.mean() < 0.12
    recall = {}
    for weight in (None, "balanced"):
        model = SparseMLPClassifier(hidden=8, degree=4, epochs=30, random_state=0, class_weight=weight)
        recall[weight] = (model.fit(x, y).predict(x)[y == 1] == 1).mean()
    assert recall["balanced"] > recall[None] + 0.2


def test_passes_over_parts_go_on_where_they_were():
    x, y = load_digits(return_X_y=True)
    model = SparseMLPClassifier(hidden=32, random_state=0)
    for _ in range(20):
        for part in np.array_split(np.arange(1200), 3):
            model.partial_fit(x[part] / 16, y[part], classes=range(10))
    assert model.n_iter_ == len(model.loss_curve_) == 60
    assert model.loss_curve_[-1] < model.loss_curve_[0] / 5
    again = pickle.loads(pickle.dumps(model))
    for each in (model, again):
        each.partial_fit(x[:100] / 16, y[:100])
    assert np.array_equal(model.predict_proba(x / 16), again.predict_proba(x / 16))
    assert model.score(x[1200:] / 16, y[1200:]) > 0.85


def test_what_passes_cannot_know_is_said():
    x, y = np.eye(4), [0, 1, 0, 1]
    with pytest.raises(InvalidParameterError, match="first call of partial_fit needs classes"):
        SparseMLPClassifier(degree=1).partial_fit(x, y)
    with pytest.raises(InvalidParameterError, match="needs all samples"):
        SparseMLPClassifier(degree=1, class_weight="balanced").partial_fit(x, y, classes=[0, 1])
    model = SparseMLPClassifier(degree=1, hidden=4).partial_fit(x, y, classes=[0, 1])
    with pytest.raises(InvalidParameterError, match=r"the labels are \[0, 1\], but got"):
        model.partial_fit(x, [0, 1, 2, 0])
    with pytest.raises(InvalidParameterError, match=r"classes must stay \[0, 1\]"):
        model.partial_fit(x, y, classes=[0, 2])
    with pytest.raises(InvalidParameterError, match="sample_weight must not be negative"):
        model.fit(x, y, sample_weight=[1, -1, 1, 1])


def test_scikit_learns_names_are_accepted():
    x, y = load_digits(return_X_y=True)
    theirs = SparseMLPClassifier(
        hidden_layer_sizes=24, max_iter=4, learning_rate_init=0.01, solver="sgd", nesterovs_momentum=False, alpha=0.32,
        activation="logistic", random_state=0,
    ).fit(x / 16, y)  # fmt: skip
    ours = SparseMLPClassifier(
        hidden=(24,), epochs=4, learning_rate=0.01, optimizer="sgd", nesterov=False, weight_decay=0.01,
        activation="sigmoid", random_state=0,
    ).fit(x / 16, y)  # fmt: skip
    assert np.array_equal(theirs.predict_proba(x), ours.predict_proba(x))
    stopped = SparseMLPClassifier(hidden=24, epochs=500, early_stopping=True, random_state=0).fit(x / 16, y)
    assert stopped.n_iter_ < 500


def test_several_targets_keep_their_scale():
    x, y = load_diabetes(return_X_y=True)
    both = np.column_stack([y, -1000 * y])
    model = SparseMLPRegressor(hidden=20, degree=5, epochs=40, random_state=0).fit(x * 20, both)
    predicted = model.predict(x * 20)
    assert predicted.shape == both.shape
    assert model.score(x * 20, both) > 0.4
    assert SparseMLPRegressor(hidden=20, degree=5, epochs=2).fit(x, y).predict(x).shape == y.shape


def test_grid_search_over_topologies():
    x, y = load_digits(return_X_y=True)
    grid = {"construction": ["random_regular", "fibonacci_rotating"], "degree": [2, 8]}
    search = GridSearchCV(SparseMLPClassifier(hidden=(32,), epochs=15, random_state=0), grid, cv=2)
    search.fit(x / 16, y)
    assert search.best_params_["degree"] == 8
    assert search.best_score_ > 0.85


def test_a_topology_of_ones_own():
    x, y = load_digits(return_X_y=True)
    topology = tg.Topology.build("random_edge", [64, 40, 10], densities=[0.1, 0.9], seed=3)
    model = SparseMLPClassifier(topology, epochs=20, random_state=1)
    assert cross_val_score(make_pipeline(StandardScaler(), model), x, y, cv=3).mean() > 0.85
    model.fit(x, np.array(list("abcdefghij"))[y])
    assert set(model.predict(x[:50])) <= set("abcdefghij")
    assert [w.nnz for w in model.weights_] == [graph.n_edges for graph in topology]
    with pytest.raises(TopologyMismatchError, match="63 features"):
        model.fit(x[:, 1:], y)


def test_reaches_us_from_the_package():
    assert trainers.SparseMLPClassifier is SparseMLPClassifier
    assert trainers.SparseMLPRegressor is SparseMLPRegressor
    with pytest.raises(AttributeError, match="SparseMLP"):
        _ = trainers.SparseMLP
    with pytest.raises(InvalidParameterError, match="degree"):
        SparseMLPClassifier(degree=1000).fit(np.eye(4), [0, 1, 0, 1])
