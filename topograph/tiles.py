"""`LANES`: how many samples compiled code takes through a network at once (`topograph.lanes`)."""

LANES = 32
