"""Tokenizers: finite scalar quantisation, the grids that they read, their networks and their training."""
