"""What runs each exact opcode in torch."""

from __future__ import annotations

from pointillist.exact.numpy.moves import MOVES
from pointillist.exact.numpy.schedule import Operations
from pointillist.exact.torch.attention import attend
from pointillist.exact.torch.elementwise import FORMULAS, elementwise
from pointillist.exact.torch.frames import TorchFrames
from pointillist.exact.torch.linear import linear, project
from pointillist.exact.torch.recurrence import scan
from pointillist.exact.torch.sites import constant, map_constant

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
