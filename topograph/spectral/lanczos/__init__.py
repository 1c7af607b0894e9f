"""Lanczos runs over a pattern, each ended by its own certificate.

An `operators.Operator` takes steps; a `run.LanczosRun` holds its vectors and coefficients, and stops where one of two
certificates, `growth.Growth` and `witness.Witness`, is as narrow as the tolerance asks. `interleaving` lets several
runs share their passes over the pattern; below it are compiled code (`passes`, `steps`, `products`, `vector_code`) and
the proof (`tridiagonal`).
"""
