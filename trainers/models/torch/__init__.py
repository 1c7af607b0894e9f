"""The parts of the PyTorch models. Imported when a model is made, and only then."""
