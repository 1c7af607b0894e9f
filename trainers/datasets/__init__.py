"""Data sets: digits (embedded), MNIST and Fashion-MNIST (IDX files), an ``.npz`` file, or arrays."""

from trainers.datasets.dataset import Dataset
from trainers.datasets.idx import DATA_VARIABLE
from trainers.datasets.loading import available_datasets, load_dataset

__all__ = ["DATA_VARIABLE", "Dataset", "available_datasets", "load_dataset"]
