"""Exact programs: a network in integers, whose results are the same bits in parallel or step by step, on any machine.

`rewrite/` makes an exact program from a recorded one; `opcodes/` defines its instructions by integer arithmetic;
`numpy/` and `machine/` run it; `storage/` keeps it in a model folder. Nothing but `rewrite/` is needed to run a stored
program, and nothing needs torch.

    exact = pointillist.exact.load("my-model")
    exact.log_prob(levels)  # integers [n, c, h, w] -> nats [n]
"""

from pointillist.exact.model import ExactModel, ExactPart
from pointillist.exact.program import ExactProgram
from pointillist.exact.storage import load_exact as load
from pointillist.exact.storage import save_exact as save

__all__ = ["ExactModel", "ExactPart", "ExactProgram", "load", "save"]
