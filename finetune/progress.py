"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Advance = Callable[[int, int], None]
"""Told (done, total)."""
Stages = Callable[[str, int, int], None]
"""Told (stage, done, total)."""


def silent(done: int, total: int) -> None:
    """Nobody watches."""


def silent_stages(stage: str, done: int, total: int) -> None:
    """Nobody watches."""
