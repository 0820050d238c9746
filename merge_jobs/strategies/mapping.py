"""Mapping all rows of a source, for a batch that has read all of them."""

from __future__ import annotations

from typing import assert_never

from merge_jobs.row_maps import MapKind
from merge_jobs.strategies import key_hash_diff, version_diff
from merge_jobs.strategies.reading import Reading
from merge_jobs.tables import Described


def map_all(reading: Reading, made: Described, copy: str) -> None:
    """Copy a map of the kind that is wanted by its statement `copy`. `made` is a table with the model's columns."""
    match reading.map_kind:
        case MapKind.VERSIONS:
            version_diff.map_all(reading, made, f"version_diff.{copy}")
        case MapKind.KEY_HASHES:
            key_hash_diff.map_all(reading, made, f"key_hash_diff.{copy}")
        case None:
            return
        case _:
            assert_never(reading.map_kind)
