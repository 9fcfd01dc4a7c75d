"""Integer programs: a network in integers, whose results are the same bits in parallel or step by step, on any machine.

`rewrite/` makes an integer program from a recorded one; `opcodes/` defines its instructions by integer arithmetic;
`interpreter.py`, `c/` and `torch/` run it; `storage/` keeps it in a model folder. A stored program runs without
`rewrite/`. Only `torch/` needs torch, and it is imported only when it is chosen.

    integer_model = pointillist.model.portable.load("my-model")
    integer_model.log_prob(levels)  # integers [n, c, h, w] -> nats [n]
"""

from pointillist.engine.program import Program
from pointillist.model.portable.conditions import IntegerPart
from pointillist.model.portable.files import load_integer_model as load
from pointillist.model.portable.files import save_integer_model as save
from pointillist.model.portable.model import ProgramModel

__all__ = ["IntegerPart", "Program", "ProgramModel", "load", "save"]
