"""What a part of the model has instead in one of the environments; what is not given stays as the part has it."""

from __future__ import annotations

from dataclasses import dataclass

from config_schema.tls import Tls

AS_IT_IS = ""  # for a key whose None has a meaning: no schema allows an empty text


@dataclass(frozen=True)
class DatabaseOverride:
    """Another address of a database, or other parts of it."""

    host: str | None = None
    database: str | None = None
    credential: str | None = None
    port: int | None = None
    schema: str | None = None
    tls: Tls | None = None
    tls_ca: str | None = None


@dataclass(frozen=True)
class RepositoryOverride:
    """Another repository or branch of the model."""

    url: str | None = None
    branch: str | None = None
    credential: str | None = None


@dataclass(frozen=True)
class LakeOverride:
    """Another warehouse of a platform's lake, or another name of its catalogue."""

    warehouse: str | None = None
    catalog: str | None = None


@dataclass(frozen=True)
class DatastoreOverride:
    """What a datastore has instead in the environment `name`."""

    name: str
    source: DatabaseOverride | None = None


@dataclass(frozen=True)
class PlatformOverride:
    """What a platform has instead in the environment `name`; `schedule` None means that only people start streams."""

    name: str
    merge_store: DatabaseOverride | None = None
    model: RepositoryOverride | None = None
    namespace: str | None = None
    image: str | None = None
    schedule: str | None = AS_IT_IS
    timezone: str | None = None
    consumer_db: DatabaseOverride | None = None
    consumer_reader: str | None = None
    slack_credential: str | None = None
    lake: LakeOverride | None = None
