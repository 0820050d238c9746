"""Chooses the source that reads a producer's database."""

from __future__ import annotations

from config_schema.model import SourceKind
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.sources import Source
from merge_jobs.sources.postgres.source import PostgresSource


def open_source(place: ConnectionInfo, application_name: str) -> Source:
    """Return a session on the producer's database. Raises StreamFactoryError."""
    if place.kind is SourceKind.POSTGRESQL:
        return PostgresSource(place, application_name)
    if place.kind is SourceKind.FILES:
        from merge_jobs.sources.files.source import FilesSource

        return FilesSource(place)
    if place.kind is SourceKind.REST:
        from merge_jobs.sources.rest.source import RestSource

        return RestSource(place)
    # SQLAlchemy is loaded for those who need it.
    from merge_jobs.sources.sql.source import SqlAlchemySource

    return SqlAlchemySource(place)
