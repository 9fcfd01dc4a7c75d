"""Rewrites of a recorded program in floats to one in integers, operation by operation."""
