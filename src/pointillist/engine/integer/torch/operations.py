"""What runs each exact opcode in torch."""

from __future__ import annotations

from pointillist.engine.integer.numpy.moves import MOVES
from pointillist.engine.integer.numpy.schedule import Operations
from pointillist.engine.integer.torch.attention import attend
from pointillist.engine.integer.torch.elementwise import FORMULAS, elementwise
from pointillist.engine.integer.torch.frames import TorchFrames
from pointillist.engine.integer.torch.linear import linear, project
from pointillist.engine.integer.torch.recurrence import scan
from pointillist.engine.integer.torch.sites import constant, map_constant

OPERATIONS: Operations[TorchFrames] = {
    **MOVES,
    **dict.fromkeys(FORMULAS, elementwise),
    "ATTEND": attend,
    "CONSTANT": constant,
    "LINEAR": linear,
    "MAP_CONSTANT": map_constant,
    "PROJECT": project,
    "SCAN": scan,
}
