"""One rewiring rule per file, found by being there: the entry point ``topograph`` of ``topograph.rewirings``."""
