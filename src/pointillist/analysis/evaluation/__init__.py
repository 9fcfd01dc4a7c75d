"""Measure a model: likelihood, what conditions save, memorization."""
