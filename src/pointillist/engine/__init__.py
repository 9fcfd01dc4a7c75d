"""Record a forward once, and run its program site by site.

`record` runs the forward on `symbols`; each torch function has a handler in `functions`, each way to reach another site
a method of `RecordPass`. They write instructions through a `Builder`; `fuse` rewrites them, `substeps` proves the
channel masks and cuts the pixel part. The result is a `Program`: plain data that any engine can run.

A new torch function is a handler; a new opcode is a class in `opcodes`; a new primitive is a method of `RecordPass`.
"""

from pointillist.engine.numpy.interpreter import Interpreter
from pointillist.engine.program import Program
from pointillist.engine.recording import RecordPass, record

__all__ = ["Interpreter", "Program", "RecordPass", "record"]
