"""The SQLite file of a study: its tables, its one writer, and any number of readers."""

from trainers.study.store.store import Store, open_store
from trainers.study.store.writer import FinishedJob, StoreWriter

__all__ = ["FinishedJob", "Store", "StoreWriter", "open_store"]
