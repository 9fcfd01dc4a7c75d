"""Encoders of conditions, in torch; for each kind a function, such as `label_encoders`; see `registry.py`."""
