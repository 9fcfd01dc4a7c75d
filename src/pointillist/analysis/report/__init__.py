"""Report: the explanation of one image as a self-contained HTML page."""
