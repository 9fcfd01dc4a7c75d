"""The studio in a notebook: a local server, which shows itself and ends."""

from __future__ import annotations

import sys
from urllib.error import URLError
from urllib.request import urlopen

import pytest

import pointillist as pt
from pointillist.errors import ConfigError, MissingExtraError
from tests.studio.helpers import labelled


def test_a_studio_shows_itself_and_ends() -> None:
    """As a frame on a port of this machine; afterwards nothing listens there."""
    with pt.Studio(labelled(), height=500) as studio:
        assert studio.url.startswith("http://127.0.0.1:")
        assert f'src="{studio.url}"' in studio._repr_html_()
        assert 'height="500"' in studio._repr_html_()
        assert repr(studio) == "Studio(gated-pixelcnn)"
        studio.wait(60)
        with urlopen(studio.url) as answer:
            policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'self' http://localhost:* http://127.0.0.1:*" in policy
    with pytest.raises(URLError):
        urlopen(studio.url, timeout=5)


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model, or the extra."""
    with pytest.raises(ConfigError, match="at least one model"):
        pt.Studio()
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "pointillist.studio.http.server", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[studio\]'"):
        pt.Studio(labelled())
