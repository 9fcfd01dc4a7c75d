"""`pointillist compress`: images without loss, in about as many bits as their likelihood."""

from __future__ import annotations

from pointillist.cli.output import print_report
from pointillist.commands.archives.settings import CompressSettings

EPILOG = """Examples:

  pointillist compress digits scans/ --out scans.pxl

  pointillist compress runs/mine a.png b.png --out two.pxl --threads 2

  pointillist compress dungeons maps.npz --out maps.pxl

  pointillist compress digits scans/ --out - | ssh host pointillist decompress - --out scans/"""


def compress(settings: CompressSettings) -> None:
    """Compress images without loss.

    The archive holds the pixels of pictures with their names, modes and texts;
    decompress writes them as PNG. It does not hold the model, which is known by
    its fingerprint.
    """
    from pointillist.commands.archives import compress as work

    report = work.compress(settings)
    if report is not None:
        print_report(report, settings.as_json)
