"""Files of the page, without the comments of scripts: a third of their bytes are types."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_COMMENTS = re.compile(r"^[ \t]*(?:/\*\*.*?\*/|//[^\n]*)[ \t]*\n", re.MULTILINE | re.DOTALL)


def strip_comments(script: str) -> str:
    """Remove comments that fill whole lines from a script; comments that follow code stay.

    Example:
        strip_comments("// why\\nlet a = 1; // what\\n")  # "let a = 1; // what\\n"
    """
    return _COMMENTS.sub("", script)


@lru_cache(maxsize=256)
def _read(path: str, changed: float) -> str:
    """Read a script that was changed at a time."""
    return strip_comments(Path(path).read_text(encoding="utf-8"))


class PageFiles(StaticFiles):
    """Static files, of which scripts are sent without their comments."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Answer with a file."""
        if not str(full_path).endswith(".js"):
            return super().file_response(full_path, stat_result, scope, status_code)
        return Response(_read(str(full_path), stat_result.st_mtime), status_code, media_type="text/javascript")
