import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topograph.row_sums import row_sums


@given(st.lists(st.lists(st.integers(-(2**40), 2**40), max_size=5), max_size=8))
def test_each_row_is_summed_alone(rows):
    values = np.array([number for row in rows for number in row], dtype=np.int64)
    indptr = np.cumsum([0, *(len(row) for row in rows)])
    assert row_sums(values, indptr).tolist() == [sum(row) for row in rows]


@pytest.mark.parametrize("kind", [np.int32, np.uint32, np.uint64])
def test_indices_of_any_type_will_do(kind):
    assert row_sums(np.array([0.5, 0.25]), np.array([0, 0, 2], dtype=kind)).tolist() == [0.0, 0.75]
