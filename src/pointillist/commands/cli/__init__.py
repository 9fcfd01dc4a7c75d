"""The command line: `pointillist COMMAND`. One file per command, imported when it is asked for."""

from __future__ import annotations

from pointillist.commands.cli.app import app, main

__all__ = ["app", "main"]
