"""Graphs of networkx and igraph as sources of masks."""
