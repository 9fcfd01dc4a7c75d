"""Constraint solver of maps: domains of levels, arc consistency, backtracking. It knows of no network."""
