"""`LinearFlow`: PyTorch code run as if it were linear, so that what reaches the outputs counts paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from topograph.errors import UnsupportedSettingError
from topograph.packages import require

torch: Any = require("torch", "torch")

_IDENTITIES = frozenset({
    "relu", "relu_", "relu6", "leaky_relu", "leaky_relu_", "prelu", "rrelu", "rrelu_", "elu", "elu_", "selu", "selu_",
    "celu", "celu_", "gelu", "silu", "mish", "softplus", "softsign", "tanh", "tanh_", "sigmoid", "sigmoid_",
    "logsigmoid", "hardswish", "hardsigmoid", "hardtanh", "hardtanh_", "tanhshrink", "softshrink", "hardshrink",
    "threshold", "threshold_", "log_softmax", "softmax", "softmin", "dropout", "dropout_", "alpha_dropout",
    "feature_dropout", "feature_alpha_dropout", "dropout1d", "dropout2d", "dropout3d", "batch_norm", "layer_norm",
    "group_norm", "instance_norm", "rms_norm", "local_response_norm", "normalize", "native_batch_norm",
    "native_layer_norm",
})  # fmt: skip


class LinearFlow(torch.overrides.TorchFunctionMode):  # type: ignore[misc, name-defined, unused-ignore]
    """Within it, activations, dropout and normalisation are the identity, for modules and functions alike."""

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Let the operation through, or give its input back."""
        if getattr(function, "__name__", "") in _IDENTITIES and args and isinstance(args[0], torch.Tensor):
            return args[0]
        return function(*args, **(kwargs or {}))


def check_linear(network: Any, ones: Any) -> None:
    """Refuse a model whose flow is not linear even so: twice the input must give twice the flow.

    Raises
    ------
    UnsupportedSettingError
    """
    with torch.no_grad():
        once, twice = network.outputs(ones), network.outputs(2 * ones)
    if not torch.is_tensor(once):
        raise UnsupportedSettingError(f"the model must return one tensor, but returned a {type(once).__name__}")
    if not torch.allclose(twice, 2 * once, rtol=1e-9, atol=0):
        parts = sorted({type(part).__name__ for part in network.module.modules() if not list(part.children())})
        raise UnsupportedSettingError(
            "the flow through this model is not linear: something in it is neither linear nor an activation or "
            f"normalisation that is known here. It has {', '.join(parts)}; recurrent cells and attention have no such "
            "flow. Use another method"
        )
