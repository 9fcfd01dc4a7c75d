"""Tests of `benchmarks/measure_speed.py`, whose parts are the package `speed` next to it."""
