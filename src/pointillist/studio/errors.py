"""What the studio does not do: a sentence with the status and the code that its page understands."""

from __future__ import annotations

from typing import Any

from pointillist.errors import PointillistError
from pointillist.studio.messages import Fault


class Refused(PointillistError):  # noqa: N818  (it reads as what it is: `raise Refused(...)`)
    """An answer that is not a success; see docs/studio_api.md.

    Args:
        status: of HTTP.
        code: for a program.
        sentence: for people.
        retry: seconds after which to try again.
        more: further fields of `Fault`.
    """

    def __init__(self, status: int, code: str, sentence: str, *, retry: int | None = None, **more: Any) -> None:
        super().__init__(sentence)
        self.status, self.retry = status, retry
        self.fault = Fault(error=sentence, code=code, **more)


def too_large(what: str, value: int, most: int, remedy: str) -> Refused:
    """Over a limit."""
    return Refused(413, "large", f"{what} (={value:,}) is over the limit of {most:,}: {remedy}.")
