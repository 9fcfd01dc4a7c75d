"""Rules of maps: read them, turn them into the mask of a grid, and check whole maps."""
