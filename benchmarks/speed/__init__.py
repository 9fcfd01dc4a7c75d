"""Benchmark sampling and training, against a full forward for every pixel and the roofline bound of the machine."""

from speed.run import BenchConfig, BenchReport, bench

__all__ = ["BenchConfig", "BenchReport", "bench"]
