"""Record a forward once, and run its program site by site."""

from pointillist.engine.interpreter import Interpreter
from pointillist.engine.program import Program
from pointillist.engine.record import RecordPass, record

__all__ = ["Interpreter", "Program", "RecordPass", "record"]
