"""Who may read consumers' views: a role for each dataset group, with exactly the rights of the model. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql

from config_schema.errors import StreamFactoryError
from merge_jobs.errors import NotOurs, RightMissing
from merge_jobs.sql import composed
from merge_jobs.views.catalog import Right, Server

PRIVILEGE = {"SCHEMA": "USAGE", "TABLE": "SELECT", "FUNCTION": "EXECUTE", "DATABASE": "CONNECT"}


@dataclass(frozen=True)
class ServerChange:
    """One change, as a text and as statements; if these contain a password, `shown` are those for people."""

    what: str
    statements: tuple[sql.Composed, ...]
    shown: tuple[sql.Composed, ...] | None = None


@dataclass(frozen=True)
class Object:
    """An object with rights."""

    kind: str  # SCHEMA, TABLE, FUNCTION or DATABASE
    name: str
    schema: str | None = None

    @property
    def identifier(self) -> sql.Composed:
        """The object as GRANT names it."""
        name = sql.Identifier(self.name) if self.schema is None else sql.Identifier(self.schema, self.name)
        takes = sql.SQL("(timestamptz)" if self.kind == "FUNCTION" else "")
        return sql.SQL("{} {}{}").format(sql.SQL(self.kind), name, takes)

    def __str__(self) -> str:
        return f"{self.kind.lower()} {self.name}"


def role_changes(
    wanted: Mapping[str, Mapping[str, Any]], server: Server
) -> Iterator[ServerChange | StreamFactoryError]:
    """Create missing roles, and report names that belong to somebody else."""
    for role, of in sorted(wanted.items()):
        making = composed("views.create_role", role_parts(role, of), {})
        if role not in server.roles:
            if server.may_create_roles:
                yield ServerChange(f"create role {role}", (making,))
            else:
                what = f"it is missing, and {server.user} may not create roles"
                todo = f"ALTER ROLE {server.user} CREATEROLE, or create it: dagfactory views reconcile --dry-run"
                yield RightMissing(f"role {role}", what, todo)
        elif server.roles[role] is None:
            todo = f"Rename it, or let it be ours: COMMENT ON ROLE \"{role}\" IS '{json.dumps(dict(of))}'"
            yield NotOurs(f"role {role}", todo)


def role_parts(role: str, of: Mapping[str, Any]) -> dict[str, sql.Composable]:
    """Return the placeholders of a statement on a role."""
    return {"role": sql.Identifier(role), "comment": sql.Literal(json.dumps(dict(of)))}


def usable_roles(wanted: Iterable[str], server: Server) -> frozenset[str]:
    """Return those roles that are ours, or that we are about to create."""
    ours = {role for role, of in server.roles.items() if of is not None}
    return frozenset(role for role in wanted if role in ours or (role not in server.roles and server.may_create_roles))


def right_changes(
    on: Object, wanted: Collection[str], existing: Sequence[Right], server: Server, *, made_anew: bool = False
) -> Iterator[ServerChange]:
    """Grant the roles what they lack, revoke what our other roles have, and leave others' rights unchanged.

    An object that was dropped and created again gets back what others had on it.
    """
    privilege = PRIVILEGE[on.kind]
    ours = {role for role, of in server.roles.items() if of is not None}
    held = {right.role for right in existing if right.privilege == privilege}
    for role in sorted(wanted):
        if made_anew or role not in held:
            yield ServerChange(f"grant {privilege} on {on} to {role}", (_grant(on, privilege, role),))
    if made_anew:
        yield from regranted(on, [right for right in existing if right.role not in ours])
        return
    for role in sorted({right.role for right in existing if right.role in ours and right.role not in wanted} - {None}):
        parts = {"object": on.identifier, "role": sql.Identifier(role)}
        yield ServerChange(f"revoke all on {on} from {role}", (composed("views.revoke", parts, {}),))


def regranted(on: Object, rights: Iterable[Right]) -> Iterator[ServerChange]:
    """Yield the rights of others on an object that is created again."""
    for right in rights:
        what = f"grant {right.privilege} on {on} to {right.role or 'PUBLIC'} again"
        yield ServerChange(what, (_grant(on, right.privilege, right.role, further=right.may_grant),))


def connect_changes(
    workspace: str, wanted: Collection[str], staying: Collection[str], server: Server
) -> Iterator[ServerChange | StreamFactoryError]:
    """Let the roles connect if not everybody may, and no other role of the workspace except `staying`."""
    on = Object("DATABASE", server.database)
    for role in sorted(wanted):
        lacks = role in server.without_connect or (role not in server.roles and not server.open_to_all)
        if lacks and server.may_grant_connect:
            yield ServerChange(f"grant CONNECT on {on} to {role}", (_grant(on, "CONNECT", role),))
        elif lacks:
            what = f"it may not connect to {server.database}, and {server.user} may not let it"
            yield RightMissing(f"role {role}", what, "Let the database's owner GRANT CONNECT to it")
    if server.may_grant_connect:
        of_workspace = {role for role, of in server.roles.items() if of is not None and of["workspace"] == workspace}
        left = server.with_connect & of_workspace - {*wanted, *staying}
        yield from right_changes(on, (), [Right(role, "CONNECT") for role in left], server)


def _grant(on: Object, privilege: str, role: str | None, *, further: bool = False) -> sql.Composed:
    parts = {
        "privilege": sql.SQL(privilege),  # as PostgreSQL names it
        "object": on.identifier,
        "role": sql.SQL("PUBLIC") if role is None else sql.Identifier(role),
    }
    return composed("views.grant_further" if further else "views.grant", parts, {})
