"""The backend ``topograph`` of networkx: spectra, clustering and distances of bipartite graphs, as networkx names them.

``info.py`` is what networkx reads when it is imported, so it imports nothing; ``interface.py`` has the functions, on
``converted.py``, a networkx graph as index arrays.
"""
