"""How fast this machine paints and trains, against a full forward for every pixel and against the hardware."""

from pointillist.bench.run import BenchConfig, BenchReport, bench

__all__ = ["BenchConfig", "BenchReport", "bench"]
