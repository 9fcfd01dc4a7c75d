"""Store exact models in a model folder, and load them without torch and without running code from a file."""

from pointillist.exact.storage.files import (
    PROGRAM,
    PROGRAM_TENSORS,
    has_exact,
    load_exact,
    save_exact,
    stored_fingerprint,
    with_fingerprint,
)

__all__ = [
    "PROGRAM",
    "PROGRAM_TENSORS",
    "has_exact",
    "load_exact",
    "save_exact",
    "stored_fingerprint",
    "with_fingerprint",
]
