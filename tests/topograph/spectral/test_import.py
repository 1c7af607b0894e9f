"""What importing and measuring a small mask must not cost."""

import subprocess
import sys


def test_compilers_are_imported_on_first_use_only():
    code = (
        "import sys, topograph as tg\n"
        "tg.construct('random_regular', 784, 10, degree=3, seed=0).spectrum()\n"
        "tg.construct('regular_rotating', 400, 200, degree=9, seed=0).spectrum()\n"
        "assert not {'numba', 'llvmlite'} & set(sys.modules)\n"
        "tg.construct('random_regular', 784, 300, degree=30, seed=0).algebraic_connectivity()\n"
        "assert 'llvmlite' in sys.modules and 'numba' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
