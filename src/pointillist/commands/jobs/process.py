"""A process of the local executor: `python -m pointillist.commands.jobs.process SPEC RANK WORLD`.

It opens the job, waits for a byte on stdin, and compares the job with the manifest. Its first line on stdout is
`ready`, or the error that a user can cause, as JSON. It ends with the process that started it, whose end closes its
stdin.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any, NoReturn

EXIT_REJECTED = 2


def main() -> None:
    """Compute a share of the tasks."""
    released = threading.Event()
    threading.Thread(target=_follow_parent, args=(released,), daemon=True).start()
    from pointillist.commands.jobs.settings import JobSpec
    from pointillist.commands.jobs.worker import Worker
    from pointillist.errors import PointillistError

    spec, rank, world = JobSpec.from_json(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    try:
        worker = Worker(spec, on_open=released.wait)
        print("ready", flush=True)
        worker.run_share(rank, world)
    except PointillistError as error:
        _reject({"error": type(error).__name__, "message": str(error)})
    except OSError as error:  # such as a full disk
        if error.errno is None:
            raise
        _reject({"error": "OSError", "errno": error.errno, "strerror": error.strerror, "file": error.filename})
    except MemoryError:
        _reject({"error": "MemoryError"})


def _reject(error: dict[str, Any]) -> NoReturn:
    print(json.dumps(error, default=str), flush=True)
    sys.exit(EXIT_REJECTED)


def _follow_parent(released: threading.Event) -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock would be held at the end of this process
        released.set()
    os._exit(0)


if __name__ == "__main__":
    main()
