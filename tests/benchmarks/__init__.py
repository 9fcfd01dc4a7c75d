"""Tests of `benchmarks/measure_speed.py`, whose parts are the package `speed` next to it."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
