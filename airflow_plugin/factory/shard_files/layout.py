"""Over how many files a platform's streams are split, and which file has which stream. Pure.

The number grows and shrinks by whole files (linear hashing, Litwin 1980): one more file splits one file in two, and all
other streams stay where they are. That matters because a DAG that moves to another file gets a new version in Airflow.
"""

from __future__ import annotations

import math
import zlib

from airflow_plugin.factory.shards import Shard

STREAMS_A_FILE = 50
MOST_FILES = 1024


def file_count(streams: int) -> int:
    """Return over how many files that many streams are split."""
    return min(MOST_FILES, max(1, math.ceil(streams / STREAMS_A_FILE)))


def shard_of(number: int, count: int) -> Shard:
    """Return the part of the streams in file `number` of `count`, counted from 0.

    With 5 files, files 1 to 3 have a quarter each, and files 0 and 4 an eighth: they were one before.
    """
    level = _level(count)
    split = number >= level or number < count - level
    return Shard(number + 1, 2 * level if split else level)


def file_of(dag_id: str, count: int) -> int:
    """Return the number of the file with the DAG, of `count` files."""
    level = _level(count)
    number = zlib.crc32(dag_id.encode()) % (2 * level)
    return number if number < count else number - level


def holds(wide: Shard, narrow: Shard) -> bool:
    """Return whether one part contains another."""
    return narrow.count % wide.count == 0 and (narrow.number - wide.number) % wide.count == 0


def _level(count: int) -> int:
    """Return the largest power of 2 that is not above it."""
    return 1 << (count.bit_length() - 1)
