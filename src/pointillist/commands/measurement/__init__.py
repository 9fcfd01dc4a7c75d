"""Evaluate, detect and explain: measurements of images under a model."""
