"""ONNX: graphs and their tensors."""
