"""Record a network into a program and optimize it."""

from pointillist.engine.recording import torch_functions  # noqa: F401  (registers the handlers of torch functions)
from pointillist.engine.recording.record import RecordPass, record

__all__ = ["RecordPass", "record"]
