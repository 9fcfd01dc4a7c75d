"""`pointillist demo`: train on handwritten digits, evaluate, sample, and show the results on one page."""

from pointillist.demo.results import DemoResults
from pointillist.demo.run import DemoResult, run_demo

__all__ = ["DemoResult", "DemoResults", "run_demo"]
