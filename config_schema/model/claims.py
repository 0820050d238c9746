"""What a part of a model stands for outside of the model: tables, secrets, databases, namespaces. Pure.

A team that may add its own parts must not use them to reach what belongs to another team's parts: its tables under
another classification, its secrets on another server, its merge store as a source.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from config_schema import names
from config_schema.model import DEFAULT_SCHEMA, Database, Dataset, Datastore, Ecosystem, Platform, Runner, SourceKind
from config_schema.model.environments import in_each_environment

Key = tuple[str, ...]


@dataclass(frozen=True)
class Claim:
    """A thing that belongs to the owner of the part that names it, with the words that people use for it."""

    key: Key
    text: str


def claims(part: Datastore | Platform) -> Iterator[Claim]:
    """Yield the things that belong to the part's owner, in any environment."""
    yield from dict.fromkeys(claim for one in in_each_environment(part) for claim in _claims(one))


def uses(part: Datastore | Platform) -> Iterator[Claim]:
    """Yield the things that the part uses, in any environment, to which others may have a claim."""
    yield from dict.fromkeys(use for one in in_each_environment(part) for use in _uses(one))


def _claims(part: Datastore | Platform) -> Iterator[Claim]:
    if isinstance(part, Datastore):
        yield from (_table(part, dataset) for dataset in part.datasets)
        yield _secret(part.source.credential)
        yield _database("source", part.source)
    else:
        yield Claim(("namespace", part.namespace), f"the namespace {part.namespace}")
        yield from (_database("store", one) for one in _databases(part))
        yield from map(_secret, _secrets(part))


def _uses(part: Datastore | Platform) -> Iterator[Claim]:
    if isinstance(part, Datastore):
        yield from (_table(part, dataset) for dataset in part.datasets)
        yield _secret(part.source.credential)
        yield _database("store", part.source)
    else:
        yield Claim(("namespace", part.namespace), f"the namespace {part.namespace}")
        for one in _databases(part):
            yield from (_database("store", one), _database("source", one))
        if part.runner is Runner.PROCESS:  # in a namespace of its own a secret of the same name is another one
            yield from map(_secret, _secrets(part))


def claimed(ecosystem: Ecosystem) -> dict[Key, tuple[str, ...]]:
    """Return who may use what: the owners of the parts that name a thing, and the teams that they share it with.

    What belongs to a part without an owner belongs to the ecosystem's owner; without an owner of the ecosystem
    nothing is claimed.
    """
    found: dict[Key, tuple[str, ...]] = {}
    parts: list[Datastore | Platform] = [*ecosystem.datastores, *ecosystem.platforms]
    for part in parts:
        owner = part.owner or ecosystem.owner
        for claim in claims(part) if owner is not None else ():
            assert owner is not None
            found[claim.key] = tuple(dict.fromkeys((*found.get(claim.key, ()), owner, *part.shared_with)))
    return found


def source_table(store: Datastore, dataset: Dataset) -> Key:
    """Return the table and server that a dataset is read from, the same for every way to write it."""
    place = store.source
    if place.kind is SourceKind.SQLITE:
        path = "/" + posixpath.normpath(place.database).lstrip("/")  # normpath leaves two slashes at the beginning
        return ("table", "sqlite", path, dataset.source_table.casefold())
    return ("table", *_server(place), *_database_and_schema(place), dataset.source_table.casefold())


def _database_and_schema(place: Database) -> tuple[str, str]:
    """Return the database and the schema of a source's tables, as its kind of server uses these words."""
    database, schema = place.database.casefold(), place.schema
    if place.kind is SourceKind.POSTGRESQL:
        return database, schema
    schema = "" if schema == DEFAULT_SCHEMA else schema.casefold()
    if place.kind is SourceKind.MYSQL:
        return schema or database, ""  # there a schema is a database
    if place.kind is SourceKind.MSSQL:
        other, _, schema = schema.replace("[", "").replace("]", "").rpartition(".")
        return other or database, schema or "dbo"
    return database, schema


def _table(store: Datastore, dataset: Dataset) -> Claim:
    place = store.source
    name = f"{place.schema}.{dataset.source_table}" if place.kind is SourceKind.POSTGRESQL else dataset.source_table
    return Claim(source_table(store, dataset), f"the table {name} of {place.database} on {place.host}")


def _secret(name: str) -> Claim:
    # Two names that give the same variables are one secret for a job.
    return Claim(("secret", names.secret_variable(name, "")), f"the secret {name}")


def _database(role: str, place: Database) -> Claim:
    key = (role, *_server(place), place.database.casefold())
    return Claim(key, f"the database {place.database} on {place.host}")


def _server(place: Database) -> tuple[str, str]:
    return place.host.casefold().rstrip("."), str(place.port)


def _databases(platform: Platform) -> list[Database]:
    return [one for one in (platform.merge_store, platform.consumer_db) if one is not None]


def _secrets(platform: Platform) -> list[str]:
    reader = [platform.consumer_reader] if platform.consumer_reader else []
    logins = [one.credential for one in _databases(platform)]
    return list(dict.fromkeys([*logins, *reader, platform.model.credential, platform.slack_credential]))
