"""What a part of a model stands for outside of the model: tables, secrets, databases, namespaces. Pure.

A team that may add its own parts must not use them to reach what belongs to another team's parts: its tables under
another classification, its secrets on another server, its merge store as a source.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import assert_never
from urllib.parse import urlsplit

from config_schema import names
from config_schema.model import (
    DEFAULT_SCHEMA,
    Column,
    Database,
    Dataset,
    Datastore,
    Ecosystem,
    Lake,
    Platform,
    RestEndpoint,
    Runner,
    SourceKind,
)
from config_schema.model.environments import in_each_environment
from config_schema.model.rest import ANY, INDEX, nested_path, steps_of

Key = tuple[str, ...]
WILD = frozenset("*?[")  # what makes a name of files a pattern
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Claim:
    """A thing that belongs to the owner of the part that names it, with the words that people use for it.

    `checked` says that whoever names it first had to be allowed to use it: then naming it is a right to use it.
    """

    key: Key
    text: str
    checked: bool = True


@dataclass(frozen=True)
class Use:
    """A use of something to which others may have a claim.

    `key` is equal for two uses that need no new permission: a secret's contains the server that gets it. `free` is a
    claim with which the use is nobody's concern.
    """

    key: Key
    of: Claim
    free: Key | None = None


def claims(part: Datastore | Platform) -> Iterator[Claim]:
    """Yield the things that belong to the part's owner, in any environment."""
    yield from dict.fromkeys(claim for one in in_each_environment(part) for claim in _claims(one))


def uses(part: Datastore | Platform) -> Iterator[Use]:
    """Yield the things that the part uses, in any environment, to which others may have a claim."""
    yield from dict.fromkeys(use for one in in_each_environment(part) for use in _uses(one))


def _claims(part: Datastore | Platform) -> Iterator[Claim]:
    if isinstance(part, Datastore):
        if part.source.kind is SourceKind.FILES:
            for dataset in part.datasets:
                yield from _folders(*_folder_of(part, dataset))
        else:
            yield from (_table(part, dataset) for dataset in part.datasets)
        yield _secret(part.source.credential)
        yield _database("source", part.source, checked=False)
    else:
        yield Claim(("namespace", part.namespace), f"the namespace {part.namespace}")
        if part.lake is not None:
            yield from _folders(*_warehouse(part.lake))
        yield from (_database("store", one) for one in _databases(part))
        yield from (_secret(name) for name, _ in _sent(part))
        yield _secret(part.model.credential, checked=False)
        yield _secret(part.slack_credential, checked=part.runner is Runner.PROCESS)
        if (server := _git_server(part)) is not None:
            yield Claim(_token(part, server), "")


def _uses(part: Datastore | Platform) -> Iterator[Use]:
    if isinstance(part, Datastore):
        if part.source.kind is SourceKind.FILES:
            for dataset in part.datasets:
                yield from _uses_of_folders(*_folder_of(part, dataset))
        else:
            yield from map(_whole, (_table(part, dataset) for dataset in part.datasets))
        yield _sending(part.source.credential, part.source)
        yield _whole(_database("store", part.source))
        return
    yield _whole(Claim(("namespace", part.namespace), f"the namespace {part.namespace}"))
    if part.lake is not None:
        yield from _uses_of_folders(*_warehouse(part.lake))
    for one in _databases(part):
        yield from (_whole(_database("store", one)), _whole(_database("source", one)))
    # In a namespace of its own a secret of the same name is another one for jobs. But sync, and other commands, read
    # the secrets of all platforms from one environment.
    yield from (_sending(name, place) for name, place in _sent(part))
    if (server := _git_server(part)) is not None:
        secret = _secret(part.model.credential)
        yield Use((*secret.key, *server), secret, free=_token(part, server))
    if part.runner is Runner.PROCESS:
        yield from map(_whole, map(_secret, (part.model.credential, part.slack_credential)))


def _whole(claim: Claim) -> Use:
    return Use(claim.key, claim)


def _sending(secret: str, place: Database) -> Use:
    claim = _secret(secret)
    return Use((*claim.key, *_server(place)), claim)


class Disputed(tuple[str, ...]):
    """Teams that name the same thing, of which none has the right to it alone: each needs another one's word."""


def claimed(ecosystem: Ecosystem) -> dict[Key, tuple[str, ...]]:
    """Return who may use what: the owners of the parts that name a thing, and the teams that they share it with.

    What belongs to a part without an owner belongs to the ecosystem's owner; without an owner of the ecosystem
    nothing is claimed. Where nobody had to be allowed to name a thing, only whom all of these parts allow may use it,
    or else the ecosystem's owner: a team is not to give itself a right by naming a thing. Without such an owner it is
    Disputed between them.
    """
    checked: dict[Key, tuple[str, ...]] = {}
    unchecked: dict[Key, tuple[str, ...]] = {}
    naming: dict[Key, list[str]] = {}
    parts: list[Datastore | Platform] = [*ecosystem.datastores, *ecosystem.platforms]
    for part in parts:
        owner = part.owner or ecosystem.owner
        if owner is None:
            continue
        may = tuple(dict.fromkeys((owner, *part.shared_with)))
        for claim in claims(part):
            if claim.checked:
                checked[claim.key] = tuple(dict.fromkeys((*checked.get(claim.key, ()), *may)))
            else:
                naming.setdefault(claim.key, []).append(owner)
                before = unchecked.get(claim.key, may)
                unchecked[claim.key] = tuple(team for team in before if team in may)
    top = (ecosystem.owner,) if ecosystem.owner is not None else ()
    return {key: may or top or Disputed(naming[key]) for key, may in unchecked.items()} | checked


def source_table(store: Datastore, dataset: Dataset) -> Key:
    """Return the table and server that a dataset is read from, the same for every way to write it."""
    place = store.source
    if place.kind is SourceKind.FILES:
        server, parts = files_of(store, dataset)
        return ("files", *server, *parts)
    if place.kind is SourceKind.SQLITE:
        return ("table", "sqlite", _path(place), dataset.source_table.casefold())
    if place.kind is SourceKind.REST:
        # A server may take paths in capital letters for the same.
        path = posixpath.normpath(f"/{place.database}/{dataset.source_table}").lstrip("/")
        return ("endpoint", *_server(place), path.casefold())
    return ("table", *_server(place), *_database_and_schema(place), dataset.source_table.casefold())


def place_in_answer(endpoint: RestEndpoint, column: Column) -> Key | None:
    """Return the keys that lead to a column's value in an endpoint's answer; None for what no answer contains."""
    of_parent, path = nested_path(column.path) if column.path is not None else (False, None)
    if path == INDEX:
        return None
    own = (column.name,) if path is None else steps_of(path)
    to_element = () if endpoint.nested is None or of_parent else (*steps_of(endpoint.nested), ANY)
    steps = (*steps_of(endpoint.data_selector), ANY, *to_element, *own)
    return tuple(ANY if isinstance(step, int) else step for step in steps)


def files_of(store: Datastore, dataset: Dataset) -> tuple[Key, Key]:
    """Return the server of a dataset's files, and their pattern with their place, by the parts between slashes."""
    place = store.source
    path = _path(place) if place.is_on_disk else place.database
    # Names of buckets, objects and files tell cases apart.
    parts = (part for part in f"{path}/{dataset.source_table}".split("/") if part)
    return ("disk",) if place.is_on_disk else _server(place), tuple(parts)


def _path(place: Database) -> str:
    return "/" + posixpath.normpath(place.database).lstrip("/")  # normpath leaves two slashes at the beginning


def _folder_of(store: Datastore, dataset: Dataset) -> tuple[Key, Key]:
    """Return the server of a dataset's files, and the folder that holds all that its pattern can match."""
    server, parts = files_of(store, dataset)
    return server, tuple(takewhile(lambda part: not WILD.intersection(part), parts[:-1]))


def _folders(server: Key, folder: Key) -> Iterator[Claim]:
    """Yield what files in a folder give a right to: what is in it, and to read it from the folders above.

    Patterns match the same file in many ways, so a folder belongs to whoever reads files in it, or keeps a lake there.
    Each of those who read below a folder can refuse that it is read as a whole.
    """
    yield _in_folder(server, folder)
    for depth in range(len(folder)):
        above = folder[:depth]
        yield Claim(("above files", *server, *above), f"the folder /{'/'.join(folder)}", checked=False)


def _uses_of_folders(server: Key, folder: Key) -> Iterator[Use]:
    yield from (_whole(_in_folder(server, folder[:depth])) for depth in range(len(folder) + 1))
    yield _whole(Claim(("above files", *server, *folder), f"the folders in /{'/'.join(folder)}", checked=False))


def _warehouse(lake: Lake) -> tuple[Key, Key]:
    """Return the server and the folder of a lake: its jobs write there, and its readers see everything in it."""
    path = posixpath.normpath(lake.warehouse.removeprefix("file://"))
    return ("disk",), tuple(part for part in path.split("/") if part)


def _in_folder(server: Key, folder: Key) -> Claim:
    return Claim(("files", *server, *folder), f"the folder /{'/'.join(folder)}")


def _database_and_schema(place: Database) -> tuple[str, str]:
    """Return the database and the schema of a source's tables, as its kind of server uses these words."""
    database, schema = place.database.casefold(), place.schema
    own = "" if schema == DEFAULT_SCHEMA else schema.casefold()
    match place.kind:
        case SourceKind.POSTGRESQL:
            return database, schema
        case SourceKind.MYSQL:
            return own or database, ""  # there a schema is a database
        case SourceKind.MSSQL:
            other, _, own = own.replace("[", "").replace("]", "").rpartition(".")
            return other or database, own or "dbo"
        case SourceKind.ORACLE | SourceKind.SQLITE | SourceKind.FILES | SourceKind.REST:
            return database, own
    assert_never(place.kind)


def _table(store: Datastore, dataset: Dataset) -> Claim:
    place = store.source
    if place.kind is SourceKind.REST:
        text = f"the endpoint {dataset.source_table} below {place.database} on {place.host}"
        return Claim(source_table(store, dataset), text)
    name = f"{place.schema}.{dataset.source_table}" if place.kind is SourceKind.POSTGRESQL else dataset.source_table
    return Claim(source_table(store, dataset), f"the table {name} of {place.database} on {place.host}")


def _secret(name: str, *, checked: bool = True) -> Claim:
    # Two names that give the same variables are one secret for a job.
    return Claim(("secret", names.secret_variable(name, "")), f"the secret {name}", checked)


def _database(role: str, place: Database, *, checked: bool = True) -> Claim:
    key = (role, *_server(place), place.database.casefold())
    return Claim(key, f"the database {place.database} on {place.host}", checked)


def _server(place: Database) -> tuple[str, str]:
    return place.host.casefold().rstrip("."), str(place.port)


def _databases(platform: Platform) -> list[Database]:
    return [one for one in (platform.merge_store, platform.consumer_db) if one is not None]


def _sent(platform: Platform) -> list[tuple[str, Database]]:
    """Return the secrets of a platform's databases, each with the server that gets it."""
    readers = [(platform.consumer_reader, platform.merge_store)] if platform.consumer_reader else []
    return [*((one.credential, one) for one in _databases(platform)), *readers]


def _git_server(platform: Platform) -> tuple[str, str, str] | None:
    """Return scheme, host and port of the server that gets the token of a platform's model; None if none gets it."""
    try:
        parts = urlsplit(platform.model.url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:  # no address, which a rule refuses, and git too
        return None
    if parts.scheme not in DEFAULT_PORTS:
        return None
    return parts.scheme, (parts.hostname or "").rstrip("."), str(port)


def _token(platform: Platform, server: tuple[str, str, str]) -> Key:
    return ("token", names.secret_variable(platform.model.credential, ""), *server)
