"""`pointillist quantize`: a model in a smaller file."""

from __future__ import annotations

from pointillist.cli.output import print_report
from pointillist.commands.training.settings import QuantizeSettings

EPILOG = """Examples:

  pointillist quantize runs/tiles --out tiles-int8

  pointillist quantize runs/tiles --dtype bf16 --out tiles-bf16

  pointillist quantize runs/tiles --integer --data tiles/ --out tiles-integer"""


def quantize(settings: QuantizeSettings) -> None:
    """Quantize the matrices of a model, and save it in a smaller file.

    The result is a separate model: evaluate it, sample from it. The last
    layer and small tensors stay as they are. With --integer the weights stay
    as they are too, unless --dtype is given, and the model gets its exact
    program next to them.
    """
    from pointillist.commands.training import quantize as work

    print_report(work.quantize(settings), settings.as_json)
