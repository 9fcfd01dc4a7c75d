"""A studio next to a training run, in its own process: the steps share neither its threads nor its interpreter."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing.connection import Connection, wait
from pathlib import Path

from pointillist.errors import ConfigError, MissingExtraError

_HOST = "127.0.0.1"
_NICE = 15  # the training goes first where there are not cores enough for both


@contextmanager
def studio_beside(run: Path) -> Iterator[str]:
    """Watch a training run on a local page within a block.

    ```python
    with studio_beside(Path("runs/digits")) as url:
        pt.train(model, digits, {"out": "runs/digits"})
    ```

    Args:
        run: folder of the run, which may not exist yet.

    Yields:
        The address of the page.

    Raises:
        MissingExtraError: if the studio is not installed.
        ConfigError: if it does not start.
    """
    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        raise MissingExtraError("The studio", "studio")
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_serve, args=(str(run), sender), name="studio", daemon=True)
    process.start()
    sender.close()  # ours: the pipe ends with the process
    try:
        try:
            url = receiver.recv()
        except EOFError:
            raise ConfigError("The studio did not start: see its message above, or train without it.") from None
        yield url
    finally:
        process.terminate()
        process.join()


def _serve(run: str, sender: Connection) -> None:
    """Serve until the process that started this one ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the training, which saves and then ends the studio
    if hasattr(os, "nice"):
        os.nice(_NICE)
    import torch

    from pointillist.studio.http.server import Server, usual_port
    from pointillist.studio.service import StudioService

    torch.set_num_threads(1)
    server = Server(StudioService([], run=Path(run), threads=1), _HOST, usual_port(_HOST))
    server.start()
    sender.send(server.url)
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
