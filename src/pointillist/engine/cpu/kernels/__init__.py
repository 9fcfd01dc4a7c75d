"""Kernels of the compiled engine: one operation each."""
