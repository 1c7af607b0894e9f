"""The graph of a whole network of any model: its units, and what leads from one to the next.

A unit is one number of one sample: an element of the input, of a layer's output, of a pooled image. The model is run
once on an example, and each of its operations becomes edges from what it reads to what it writes: a masked layer the
edges of its mask, a pooling its windows, a sum its terms. Activations, dropout and normalisations pass each unit on,
and so do reshaping, slicing and concatenating: they make no units of their own.

`graph.py` has the graph and its sweeps; `row.py` the row ``"network"`` of `topograph.measure`.
"""
