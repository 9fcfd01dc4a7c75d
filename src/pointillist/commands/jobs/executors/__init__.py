"""Executors: they start processes and give each its share of the tasks. Results do not depend on them."""
