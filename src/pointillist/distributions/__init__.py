"""Output distributions of a pixel, and the transforms that sampling applies to them."""
