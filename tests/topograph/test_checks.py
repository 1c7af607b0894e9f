from __future__ import annotations

import numpy as np
import pytest

import topograph as tg
from topograph.checks import check_flag, check_integer, check_real
from topograph.errors import InvalidParameterError


@pytest.mark.parametrize("value", [10**400, np.nan, np.inf, "3", True, None, 1j])
def test_what_is_no_finite_number_is_refused_and_echoed(value):
    with pytest.raises(InvalidParameterError, match=r"x must be a number in \[0, inf\), but got x="):
        check_real("x", value, low=0)


def test_an_interval_is_open_where_it_says_so():
    assert check_real("x", 1, low=0, high=1) == 1
    with pytest.raises(InvalidParameterError, match=r"\(0, 1\), but got x=1"):
        check_real("x", 1, low=0, high=1, include_low=False, include_high=False)
    with pytest.raises(InvalidParameterError, match=r"\(-inf, 1\], but got x=2"):
        check_real("x", 2, high=1)


@pytest.mark.parametrize("value", [0, 11, 2.5, np.inf, np.nan, "3", True, None])
def test_what_is_no_whole_number_of_the_range_is_refused(value):
    with pytest.raises(InvalidParameterError, match="k must be a whole number from 1 to 10, but got k="):
        check_integer("k", value, low=1, high=10)


def test_whole_numbers_of_any_type_are_welcome():
    assert [check_integer("k", value, low=1) for value in (3, 3.0, np.int8(3), np.float32(3))] == [3] * 4


def test_a_flag_is_a_flag():
    assert check_flag("f", np.True_) is True
    with pytest.raises(InvalidParameterError, match="f must be true or false, but got f=1"):
        check_flag("f", 1)


def test_a_sparsity_is_taken_wherever_a_density_is():
    assert tg.construct("erdos_renyi", 30, 20, sparsity=0.9, seed=1) == tg.construct(
        "erdos_renyi", 30, 20, density=0.1, seed=1
    )
    sparse = tg.Topology.build("random_regular", [30, 20, 10], sparsity=0.9, allocation="er")
    assert sparse == tg.Topology.build("random_regular", [30, 20, 10], density=0.1, allocation="er")
    weights = np.random.default_rng(0).normal(size=(30, 20))
    assert tg.load(weights, sparsity=0.9)["graph"] == tg.load(weights, density=0.1)["graph"]
    assert tg.measure(weights, ["n_edges"], sparsity=0.9).at["graph", "n_edges"] == 60
    for call in (
        lambda **given: tg.construct("erdos_renyi", 30, 20, **given),
        lambda **given: tg.Topology.build("erdos_renyi", [30, 20], **given),
        lambda **given: tg.load(weights, **given),
    ):
        with pytest.raises(InvalidParameterError, match=r"give one of .*density.* but got .*sparsity=0\.9"):
            call(density=0.1, sparsity=0.9)
        with pytest.raises(InvalidParameterError, match=r"sparsity must be a number in \[0, 1\), but got sparsity=1"):
            call(sparsity=1)
