"""`pointillist demo`: train on real digits, measure, paint, and show all of it on one page."""

from pointillist.demo.results import DemoResults
from pointillist.demo.run import DemoResult, run_demo

__all__ = ["DemoResult", "DemoResults", "run_demo"]
