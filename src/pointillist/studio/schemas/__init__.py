"""Requests, responses and events of the studio's HTTP interface; docs/reference/studio_api.md explains their use."""

from pointillist.files.lazy import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
