"""Keras on PyTorch, said before it is first imported."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")
