from pointillist.engine.interpreter import Interpreter
from pointillist.engine.program import Program
from pointillist.engine.recording import RecordPass, record

__all__ = ["Interpreter", "Program", "RecordPass", "record"]
