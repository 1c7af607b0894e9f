"""What each operation of PyTorch does to units, by kind."""
