"""The solvers that `topograph.spectral.dispatch` chooses from, one per file; `protocol` says what each owes."""
