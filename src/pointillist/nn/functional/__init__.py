"""Functions over all pixel positions of a feature map, without parameters."""
