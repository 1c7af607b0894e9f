"""Keras: live models, their configuration and weights, and masks put on them."""
