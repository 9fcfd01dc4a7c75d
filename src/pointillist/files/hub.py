"""The hub without a network: its libraries try again for half a minute, so the network is looked for first."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_SECONDS = 1.0  # for a connection
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_OFFLINE = "HF_HUB_OFFLINE"


def is_reachable() -> bool:
    """Return True if the hub answers; behind a proxy, that is assumed."""
    if any(os.environ.get(name) for name in _PROXIES):
        return True
    answer = threading.Event()
    # in a thread, as a look-up of a name takes as long as the system likes
    threading.Thread(target=_connect, args=(answer,), daemon=True).start()
    return answer.wait(_SECONDS)


def _connect(answer: threading.Event) -> None:
    with suppress(OSError, ValueError):
        address = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
        port = address.port or (80 if address.scheme == "http" else 443)
        with socket.create_connection((address.hostname or "", port), timeout=_SECONDS):
            answer.set()


@contextmanager
def offline_if_unreachable() -> Iterator[None]:
    """Let the hub's libraries read their cache only, if there is no network.

    ```python
    with offline_if_unreachable():
        datasets.load_dataset("mnist")  # at once from the cache, or an error
    ```
    """
    if os.environ.get(_OFFLINE) or is_reachable():
        yield
        return
    # read when the libraries are imported, and from then on in these modules
    modules = [sys.modules.get(name) for name in ("huggingface_hub.constants", "datasets.config")]
    loaded = [module for module in modules if module is not None and hasattr(module, _OFFLINE)]
    before = [getattr(module, _OFFLINE) for module in loaded]
    os.environ[_OFFLINE] = "1"
    for module in loaded:
        setattr(module, _OFFLINE, True)
    try:
        yield
    finally:
        del os.environ[_OFFLINE]
        for module, value in zip(loaded, before, strict=True):
            setattr(module, _OFFLINE, value)
