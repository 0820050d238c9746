"""The numbers of advisory locks that both sides take: a job and a command on its stream exclude each other."""

from __future__ import annotations

import hashlib


def stream_lock(schema: str, platform: str, stream: str) -> int:
    """Return the number of the lock that a job on the stream holds."""
    return lock_number(f"{schema}/{platform}/{stream}")


def lock_number(name: str) -> int:
    """Return the number of an advisory lock: 64 bits of a hash of its name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
