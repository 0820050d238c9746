"""Whether a source can tell which keys have changed (`change_feed`)."""

from __future__ import annotations

from collections.abc import Iterator

from config_schema.model import Ecosystem, SourceKind
from config_schema.problem import Finding


def feeds_are_of_postgresql(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield change feeds of sources that have no logical decoding."""
    for i, store in enumerate(ecosystem.datastores):
        if store.change_feed is not None and store.source.kind is not SourceKind.POSTGRESQL:
            what = f"only PostgreSQL has publications, and the source is {store.source.kind.value}"
            yield f"datastores[{i}].change_feed", what, "Take change_feed out"
