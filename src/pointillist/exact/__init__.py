"""Exact programs: a network in integers, whose results are the same bits in parallel or step by step, on any machine.

`rewrite/` makes an exact program from a recorded one; `opcodes/` defines its instructions by integer arithmetic;
`numpy/`, `machine/` and `torch/` run it; `storage/` keeps it in a model folder. A stored program runs without
`rewrite/`. Only `torch/` needs torch, and it is imported only when it is chosen.

    exact = pointillist.exact.load("my-model")
    exact.log_prob(levels)  # integers [n, c, h, w] -> nats [n]
"""

from pointillist.exact.conditions import ExactPart
from pointillist.exact.model import ExactModel
from pointillist.exact.program import ExactProgram
from pointillist.exact.storage import load_exact as load
from pointillist.exact.storage import save_exact as save
from pointillist.exact.transforms import DrawTransform

__all__ = ["DrawTransform", "ExactModel", "ExactPart", "ExactProgram", "load", "save"]
