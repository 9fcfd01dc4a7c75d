"""Answers of the studio to questions about a model or an image."""
