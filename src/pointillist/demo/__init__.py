"""`pointillist demo`: train on real digits, measure, paint, and show all of it on one page."""

from pointillist.demo.facts import Facts
from pointillist.demo.run import Demo, run_demo

__all__ = ["Demo", "Facts", "run_demo"]
