"""The report of one image as a self-contained page."""
