"""`evaluate`, `detect` and `explain`: what a model tells of images."""
