"""The servers of other databases that tests of merges read."""

from __future__ import annotations

from tests.database.merge.producers import maria, producer

__all__ = ["maria", "producer"]
