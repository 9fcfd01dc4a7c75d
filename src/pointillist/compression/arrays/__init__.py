"""Arrays of integers as archives: their values as levels, and a codec for Zarr."""
