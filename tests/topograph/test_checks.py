from __future__ import annotations

import numpy as np
import pytest

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
