"""`info`, `models` and `example`: what there is, and what it is."""
