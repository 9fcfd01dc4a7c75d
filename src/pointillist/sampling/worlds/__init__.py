"""Endless maps by seed, drawn chunk by chunk, and their files."""

from pointillist.sampling.worlds.world import World

__all__ = ["World"]
