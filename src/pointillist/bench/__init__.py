"""Benchmark sampling and training, against a full forward for every pixel and the roofline bound of the machine."""

from pointillist.bench.run import BenchConfig, BenchReport, bench

__all__ = ["BenchConfig", "BenchReport", "bench"]
