"""Errors of the studio, with the HTTP status and the code that its page understands."""

from __future__ import annotations

from typing import Any

from pointillist.errors import PointillistError
from pointillist.studio.schemas import ErrorResponse


class RequestError(PointillistError):
    """A request that cannot be answered; see docs/reference/studio_api.md.

    Args:
        status: HTTP status.
        code: kind of error, for programs.
        sentence: what is wrong, for people.
        retry_after: seconds after which to try again.
        details: further fields of `ErrorResponse`.
    """

    status: int
    retry_after: int | None

    def __init__(
        self, status: int, code: str, sentence: str, *, retry_after: int | None = None, **details: Any
    ) -> None:
        super().__init__(sentence)
        self.status, self.retry_after = status, retry_after
        self.response: ErrorResponse = ErrorResponse(error=str(self), code=code, **details)


def too_large(name: str, value: int, limit: int, remedy: str) -> RequestError:
    return RequestError(413, "too_large", f"{name} (={value:,}) is over the limit of {limit:,}: {remedy}.")
