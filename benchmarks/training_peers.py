# ruff: noqa: D102
"""What a user would pick instead of the sparse NumPy backend, for `training.py`.

Each peer is a class: it starts from the weights and walks the batches that `trainers.initialization` draws, as our
backend does, so that equal accuracies say that the same work was done. `train_epoch(epoch)` is what is timed.
"""

from __future__ import annotations

import os
import warnings

import numpy as np
import scipy.sparse as sp

from trainers.initialization import batch_order, dropout_generator, initial_weights
from trainers.numpy_sparse.network import SparseNetwork
from trainers.numpy_sparse.samples import gather_samples

os.environ.setdefault("KERAS_BACKEND", "torch")


class Peer:
    """What all have in common: the data, the masks, the first weights, dense."""

    name = ""

    def __init__(self, topology, data, config):
        self.topology, self.data, self.config = topology, data, config
        self.dense = []
        for graph, weights in zip(topology, initial_weights(topology, config), strict=True):
            matrix = np.zeros(graph.shape, np.float32)
            matrix[graph.to_mask()] = weights
            self.dense.append(matrix)
        self.start()

    def batches(self, epoch):
        order = batch_order(len(self.data.x_train), epoch, self.config)
        size = self.config.batch_size
        return (order[k : k + size] for k in range(0, len(order), size))


class Ours(Peer):
    """topograph's sparse NumPy backend."""

    name = "topograph numpy"

    def start(self):
        self.samples, self.test = gather_samples(self.data.x_train), gather_samples(self.data.x_test)
        self.network = SparseNetwork(self.topology, self.config, self.samples.sparse)

    def train_epoch(self, epoch):
        order, dropout = batch_order(len(self.data.x_train), epoch, self.config), dropout_generator(epoch, self.config)
        self.network.train_epoch(self.samples, self.data.y_train, order, self.config.learning_rate, dropout)

    def predict(self):
        return self.network.predict(self.test, np.arange(len(self.data.x_test)))


class TorchMasked(Peer):
    """Dense weights times a mask in every forward pass, eager PyTorch."""

    name = "PyTorch, masked dense"

    def start(self):
        import torch

        self.torch = torch
        self.x = torch.from_numpy(self.data.x_train.copy())
        self.y = torch.nn.functional.one_hot(torch.from_numpy(self.data.y_train.copy())).float()
        self.masks = [torch.from_numpy(graph.to_mask(np.float32).T.copy()) for graph in self.topology]
        self.layers = []
        for weights in self.dense:
            layer = torch.nn.Linear(*weights.shape)
            layer.weight.data, layer.bias.data = torch.from_numpy(weights.T.copy()), layer.bias.data * 0
            self.layers.append(layer)
        parameters = [p for layer in self.layers for p in layer.parameters()]
        self.optimizer = torch.optim.SGD(
            parameters, lr=self.config.learning_rate, momentum=self.config.momentum, nesterov=True
        )

    def forward(self, x):
        for layer, mask in zip(self.layers, self.masks, strict=True):
            x = self.torch.sigmoid(self.torch.nn.functional.linear(x, layer.weight * mask, layer.bias))
        return x

    def train_epoch(self, epoch):
        for chosen in self.batches(epoch):
            rows = self.torch.from_numpy(chosen)
            self.optimizer.zero_grad()
            self.torch.nn.functional.mse_loss(self.forward(self.x[rows]), self.y[rows]).backward()
            self.optimizer.step()

    def predict(self):
        with self.torch.no_grad():
            return self.forward(self.torch.from_numpy(self.data.x_test.copy())).numpy()


class TorchCSR(TorchMasked):
    """Weights as a CSR tensor, `torch.sparse.mm` with autograd; a dense layer pair keeps a dense product."""

    name = "torch.sparse CSR, autograd"

    def start(self):
        super().start()
        warnings.filterwarnings("ignore", "Sparse CSR tensor support")
        self.layers = [
            (
                layer.weight.detach() if graph.density == 1 else layer.weight.detach().to_sparse_csr(),
                layer.bias.detach(),
            )
            for graph, layer in zip(self.topology, self.layers, strict=True)
        ]
        self.parameters = [p.requires_grad_() for layer in self.layers for p in layer]
        self.velocities = [self.torch.zeros_like(self.values(p.detach())) for p in self.parameters]

    def values(self, p):
        return p.values() if p.layout is self.torch.sparse_csr else p

    def forward(self, x):
        x = x.T
        for weight, bias in self.layers:
            z = self.torch.sparse.mm(weight, x) if weight.layout is self.torch.sparse_csr else weight @ x
            x = self.torch.sigmoid(z + bias[:, None])
        return x.T

    def train_epoch(self, epoch):
        rate, mu = self.config.learning_rate, self.config.momentum
        for chosen in self.batches(epoch):
            rows = self.torch.from_numpy(chosen)
            self.torch.nn.functional.mse_loss(self.forward(self.x[rows]), self.y[rows]).backward()
            with self.torch.no_grad():  # torch.optim refuses CSR parameters
                for p, velocity in zip(self.parameters, self.velocities, strict=True):
                    gradient = self.values(p.grad)
                    velocity.mul_(mu).add_(gradient)
                    self.values(p.detach()).add_(gradient + mu * velocity, alpha=-rate)
                    p.grad = None


class KerasMasked(Peer):
    """A Dense layer whose kernel is multiplied by a mask, Keras on torch, `fit`."""

    name = "Keras on torch, masked"

    def start(self):
        import keras

        class MaskedDense(keras.layers.Dense):
            def __init__(self, mask, **options):
                super().__init__(mask.shape[1], activation="sigmoid", **options)
                self._mask = mask

            def build(self, shape):
                super().build(shape)
                self.mask_values = keras.ops.convert_to_tensor(self._mask)

            def call(self, x):
                return self.activation(keras.ops.matmul(x, self.kernel * self.mask_values) + self.bias)

        self.model = keras.Sequential([keras.Input((self.topology.sizes[0],))])
        for graph, weights in zip(self.topology, self.dense, strict=True):
            self.model.add(MaskedDense(graph.to_mask(np.float32)))
            self.model.layers[-1].set_weights([weights, np.zeros(graph.n_right, np.float32)])
        optimizer = keras.optimizers.SGD(self.config.learning_rate, self.config.momentum, nesterov=True)
        self.model.compile(optimizer, "mse")
        self.targets = np.eye(self.topology.sizes[-1], dtype=np.float32)[self.data.y_train]

    def train_epoch(self, epoch):
        order = batch_order(len(self.data.x_train), epoch, self.config)
        self.model.fit(
            self.data.x_train[order], self.targets[order], self.config.batch_size, 1, shuffle=False, verbose=0
        )

    def predict(self):
        return self.model.predict(self.data.x_test, verbose=0, batch_size=512)


class SciPyCSR(Peer):
    """SciPy CSR in the forward pass; gradient, velocity and weights dense, the gradient times the mask."""

    name = "SciPy CSR, masked gradient"

    def start(self):
        self.masks = [graph.to_mask(np.float32) for graph in self.topology]
        self.places = [np.nonzero(mask.T)[::-1] for mask in self.masks]  # in the order of outputs × inputs CSR
        self.csr = [
            sp.csr_array((w[place], place[::-1]), w.T.shape) for w, place in zip(self.dense, self.places, strict=True)
        ]
        self.biases = [np.zeros((graph.n_right, 1), np.float32) for graph in self.topology]
        self.velocities = [np.zeros_like(p) for p in (*self.dense, *self.biases)]
        self.targets = np.eye(self.topology.sizes[-1], dtype=np.float32)[self.data.y_train]

    def forward(self, x):
        values = [x]
        for weights, bias in zip(self.csr, self.biases, strict=True):
            values.append(1 / (1 + np.exp(-(weights @ values[-1] + bias))))
        return values

    def gradient(self, layer, x, dz):
        return (x @ dz.T) * self.masks[layer]

    def write(self, layer):
        self.csr[layer].data[:] = self.dense[layer][self.places[layer]]

    def train_epoch(self, epoch):
        rate, mu = np.float32(self.config.learning_rate), np.float32(self.config.momentum)
        for chosen in self.batches(epoch):
            values = self.forward(np.ascontiguousarray(self.data.x_train[chosen].T))
            y = values[-1]
            dy = (y - self.targets[chosen].T) * np.float32(2 / y.size)
            gradients = [None] * len(self.velocities)
            for layer in reversed(range(len(self.csr))):
                dz = dy * values[layer + 1] * (1 - values[layer + 1])
                gradients[layer] = self.gradient(layer, values[layer], dz)
                gradients[len(self.csr) + layer] = dz.sum(axis=1, keepdims=True)
                dy = self.csr[layer].T @ dz if layer else dy
            for p, velocity, gradient in zip((*self.dense, *self.biases), self.velocities, gradients, strict=True):
                velocity *= mu
                velocity -= rate * gradient
                p += mu * velocity - rate * gradient
            for layer in range(len(self.csr)):
                self.write(layer)

    def predict(self):
        return self.forward(self.data.x_test.T)[-1].T


class SciPyEdges(SciPyCSR):
    """The same, but the mask's entries are taken from the dense gradient, and the update is on them alone."""

    name = "SciPy CSR, edges taken"

    def start(self):
        super().start()
        self.dense = [csr.data for csr in self.csr]
        self.velocities = [np.zeros_like(p) for p in (*self.dense, *self.biases)]

    def gradient(self, layer, x, dz):
        return (x @ dz.T)[self.places[layer]]

    def write(self, layer):
        pass


class SklearnDense(Peer):
    """scikit-learn's MLPClassifier: dense, its own start and order, and cross-entropy, the only loss it has."""

    name = "scikit-learn MLP, dense"

    def start(self):
        from sklearn.neural_network import MLPClassifier

        self.model = MLPClassifier(
            self.topology.sizes[1:-1], activation="logistic", solver="sgd", alpha=0, batch_size=self.config.batch_size,
            learning_rate_init=self.config.learning_rate, momentum=self.config.momentum, random_state=0,
        )  # fmt: skip
        self.classes = np.arange(self.topology.sizes[-1])

    def train_epoch(self, epoch):
        self.model.partial_fit(self.data.x_train, self.data.y_train, classes=self.classes)

    def predict(self):
        return self.model.predict_proba(self.data.x_test)


PEERS = (TorchMasked, KerasMasked, TorchCSR, SciPyCSR, SciPyEdges, SklearnDense)
