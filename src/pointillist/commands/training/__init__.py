"""`train` and `quantize`: what makes a model."""
