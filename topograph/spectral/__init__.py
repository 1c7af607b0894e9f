"""The few eigenvalues and singular values that many metrics share, each with its evidence."""

from topograph.spectral.batch import compute_spectra
from topograph.spectral.estimate import Estimate
from topograph.spectral.spectrum import QUANTITIES, Spectrum, compute_spectrum

__all__ = ["QUANTITIES", "Estimate", "Spectrum", "compute_spectra", "compute_spectrum"]
