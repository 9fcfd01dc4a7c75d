"""Errors a user can cause. Each message is one sentence: what, the value, the rule, the remedy."""

from typing import Any


class PointillistError(Exception):
    """Base of every error this package raises on purpose; the command line prints it and exits with code 2."""


class ConfigError(PointillistError):
    """A setting has a value that its rule forbids.

    Not a ValueError: pydantic would wrap that, and the sentence would be lost in its report.
    """


class ShapeError(PointillistError, ValueError):
    """Two arrays that must agree in shape do not, or an image does not fit the model."""


class DataError(PointillistError, ValueError):
    """Images, labels or captions cannot be read or do not belong together."""


class CheckpointError(PointillistError):
    """A model folder is missing, damaged, of a newer format, or not a Pointillist model."""


class CausalityError(PointillistError):
    """A layer reads a site that is not known yet, or does what cannot be replayed site by site."""


class EngineError(PointillistError):
    """A sampler was asked for that is not there or cannot run this model."""


class TrainingError(PointillistError):
    """Training cannot go on: the loss is not finite or diverges, or a run cannot be resumed."""


class MissingExtraError(PointillistError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra `{extra}`: run `pip install 'pointillist[{extra}]'`.")


def sentence(error: Any, what: str) -> str:
    """A pydantic ValidationError as one sentence: the first fault, its value and its rule."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"]) or what
    if fault["type"] == "extra_forbidden":
        return f"`{where}` is not {what}: check its spelling."
    message = str(fault["msg"])
    return f"`{where}` (={fault.get('input')!r}) is not valid for {what}: {message[0].lower()}{message[1:]}."
