"""Interpret recorded programs in numpy."""
