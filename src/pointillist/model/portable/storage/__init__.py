"""Store integer models in a model folder, and load them without torch and without running code from a file."""

from pointillist.model.portable.storage.files import (
    check_program,
    has_program,
    load_integer_model,
    remove_program,
    save_integer_model,
    stored_fingerprint,
    with_fingerprint,
)

__all__ = [
    "check_program",
    "has_program",
    "load_integer_model",
    "remove_program",
    "save_integer_model",
    "stored_fingerprint",
    "with_fingerprint",
]
