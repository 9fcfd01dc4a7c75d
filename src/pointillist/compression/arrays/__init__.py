"""Arrays of integers as archives: their values as levels, and codecs for `numcodecs` and Zarr."""
