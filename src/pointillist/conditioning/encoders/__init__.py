"""Encoders of conditions, in torch: a file for each kind, called as the kind, with a function `encoders`."""
