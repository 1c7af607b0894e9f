"""`MaskedDense`: a Keras layer whose kernel is under a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from topograph.errors import InvalidMaskError
from topograph.graph import BipartiteGraph
from trainers.keras.choosing import import_keras, quiet

keras: Any = import_keras()


@keras.saving.register_keras_serializable("topograph")  # type: ignore[untyped-decorator, unused-ignore]
class MaskedDense(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """y = activation(x (kernel ⊙ mask) + bias): a dense layer restricted to the edges of a mask.

    The mask is a weight that is not trained, so that it is saved with the model and read by every Keras backend.
    Gradients pass through the product: no optimizer can revive a removed edge.

    Parameters
    ----------
    units
        Number of outputs.
    mask
        Inputs × outputs, or a `BipartiteGraph`; all edges by default.
    activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer
        As in ``keras.layers.Dense``.

    Raises
    ------
    InvalidMaskError
        When the mask has another shape than the kernel.

    Examples
    --------
    >>> import topograph as tg
    >>> graph = tg.construct("random_regular", 8, 4, degree=2, seed=0)
    >>> model = keras.Sequential([keras.Input((8,)), MaskedDense(4, graph, activation="relu")])
    >>> model.layers[0].masked_kernel().shape, int(np.count_nonzero(model.layers[0].masked_kernel()))
    ((8, 4), 16)
    """

    def __init__(
        self,
        units: int,
        mask: Any = None,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_normal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.units = units
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self._given = mask.to_mask() if isinstance(mask, BipartiteGraph) else None if mask is None else np.asarray(mask)

    def build(self, input_shape: Any) -> None:
        """Create the weights."""
        shape = (int(input_shape[-1]), self.units)
        if self._given is not None and self._given.shape != shape:
            raise InvalidMaskError(
                f"the mask of {self.name} must be {shape[0]} × {shape[1]} as the kernel is, not {self._given.shape}"
            )
        self.kernel = self.add_weight(
            shape=shape, initializer=self.kernel_initializer, regularizer=self.kernel_regularizer, name="kernel"
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.units,), initializer=self.bias_initializer, name="bias")
        self.mask = self.add_weight(shape=shape, initializer="ones", trainable=False, name="mask")
        if self._given is not None:
            self.mask.assign((self._given != 0).astype(self.variable_dtype))
            self.kernel.assign(self.kernel * self.mask)

    def call(self, x: Any) -> Any:
        """The outputs of samples in rows."""
        y = keras.ops.matmul(x, self.kernel * self.mask)
        return self.activation(y if self.bias is None else keras.ops.add(y, self.bias))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the outputs."""
        return (*input_shape[:-1], self.units)

    def masked_kernel(self) -> Any:
        """The weights that it computes with, inputs × outputs, as a NumPy array."""
        with quiet():
            return keras.ops.convert_to_numpy(self.kernel * self.mask)

    def get_config(self) -> dict[str, Any]:
        """All options; the mask is saved as a weight."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
