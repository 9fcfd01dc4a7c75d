"""Conditions of a model. Each kind is a file of settings, and one of its encoders; `registry` lists the kinds."""

from pointillist.files.lazy import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
