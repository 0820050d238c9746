"""A platform's streams split over several factory files, so that none outgrows the dag-processor's timeout."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from config_schema.errors import ValueWrong


@dataclass(frozen=True)
class Shard:
    """Number `number` of `count` equal parts, counted from 1."""

    number: int = 1
    count: int = 1

    def has(self, dag_id: str) -> bool:
        """Return whether the shard has the DAG: the same on every machine and in every version.

        By DAG id, so that two rows for one id meet in one shard.
        """
        return zlib.crc32(dag_id.encode()) % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


WHOLE = Shard()


def shard(text: str | None) -> Shard:
    """Return `1/4` as Shard(1, 4), and None as the whole. Raises StreamFactoryError."""
    if text is None:
        return WHOLE
    match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text)
    number, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= count:
        raise ValueWrong("publish: shard", text, "is no shard", 'Write shard="1/4" for the first of four')
    return Shard(number, count)
