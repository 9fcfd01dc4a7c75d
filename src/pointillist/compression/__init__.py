"""Lossless compression by exact likelihood: an entropy coder follows the integer frequencies of an integer model.

`codec.py` codes pictures and symbols; `container.py` is the layout of an archive, which `writer.py` and
`archive.py` write and read. Nothing needs torch.
"""

from pointillist.compression.api import compress, decompress
from pointillist.compression.archive import Archive
from pointillist.compression.writer import ArchiveWriter

__all__ = ["Archive", "ArchiveWriter", "compress", "decompress"]
