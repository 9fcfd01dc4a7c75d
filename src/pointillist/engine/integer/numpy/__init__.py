"""Run programs in numpy: over whole maps at once, or site by site, with the same operations."""
