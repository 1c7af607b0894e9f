import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import topograph as tg
import trainers
from topograph.errors import InvalidParameterError, TopologyMismatchError
from trainers.numpy_sparse.estimator import SparseMLPClassifier


@parametrize_with_checks([SparseMLPClassifier(random_state=0)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


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
    with pytest.raises(AttributeError, match="SparseMLP"):
        _ = trainers.SparseMLP
    with pytest.raises(InvalidParameterError, match="degree"):
        SparseMLPClassifier(degree=1000).fit(np.eye(4), [0, 1, 0, 1])
