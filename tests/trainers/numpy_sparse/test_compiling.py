from __future__ import annotations

from tests.fresh_process import run


def test_a_network_is_trained_without_numba_and_equal_to_the_bit_cold_and_warm(tmp_path):
    code = (
        "import sys\n"
        "import topograph as tg; from trainers import TrainingConfig, get_trainer, load_dataset\n"
        "topology = tg.Topology.build('random_regular', [64, 32, 10], [8, 10], seed=0)\n"
        "config = TrainingConfig(epochs=2, learning_rate=0.3)\n"
        "result = get_trainer('numpy').train(topology, load_dataset('digits'), config)\n"
        "print(*(weights.data.tobytes().hex() for weights in result.weights), 'numba' in sys.modules)"
    )
    first, second = (run(code, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")) for _ in range(2))
    assert first == second
    assert first[-1] == "False"
