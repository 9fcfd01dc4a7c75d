"""Readers of images: one file for each source."""
