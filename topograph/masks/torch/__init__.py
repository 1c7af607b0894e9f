"""PyTorch: live modules, their tensors, and masks put on them."""
