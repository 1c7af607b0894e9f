from __future__ import annotations

import pytest

from tests.analysis.affine import differences


@pytest.mark.parametrize("seed", range(6))
def test_no_conclusion_depends_on_a_unit_or_an_origin(seed):
    assert differences(seed, thorough=seed == 0) == []
