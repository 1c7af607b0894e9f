"""One pruner per file, found by being there: the entry point ``topograph`` of the group ``topograph.pruners``."""
