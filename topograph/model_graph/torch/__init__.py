"""The graph of a PyTorch model, from one run on an example. Imports PyTorch, so it is imported where it is used."""
