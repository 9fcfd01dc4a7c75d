"""Files of a model folder, which cannot run code."""
