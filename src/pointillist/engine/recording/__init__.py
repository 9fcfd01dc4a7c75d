"""Record a network into a program and optimize it."""

from pointillist.engine.recording.record import RecordPass, record

__all__ = ["RecordPass", "record"]
