"""Pointillist: generative models that paint an image one pixel at a time, with exact likelihood.

Names are imported when they are first used: neither `import pointillist` nor `pointillist --help` waits for torch.
"""

from __future__ import annotations

from typing import Any

from pointillist.files.lazy import stub_names

_HOME = stub_names(__file__)
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        from pointillist.files.suggestions import UnknownNameError

        if name.startswith("_"):
            raise AttributeError(f"module 'pointillist' has no attribute {name!r}")
        raise UnknownNameError("pt", name, __all__)
    try:  # as `from home import name`, packages included
        home = __import__(_HOME[name], fromlist=(name,))
    except ModuleNotFoundError as error:
        from pointillist.errors import missing_training

        missing = missing_training(error, f"`pt.{name}`")
        if missing is None:
            raise
        raise missing from None
    value = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
