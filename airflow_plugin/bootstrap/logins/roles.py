"""The roles: created if they are missing, with access to database and schema, and with a password.

Functions take a session of a role that may create roles. Rights on tables are granted by the owner.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import encrypt_password

from airflow_plugin.control.session import NO_VALUES, ControlSession, composed
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.sql import component_logins as logins
from config_schema.sql.component_logins import Duty
from config_schema.sql.statements import SqlFile

STATEMENTS = SqlFile(__file__)

PRINT = (
    "Let a DBA run what dagfactory bootstrap --roles --print prints, or name a role that may in DAGFACTORY_ADMIN_DSN"
)


@dataclass(frozen=True)
class Role:
    """A login of a platform: its name and its state on the server; `there` says whether it exists."""

    name: str
    duty: Duty
    there: bool = False
    may_log_in: bool = True
    may_connect: bool = False
    may_use_schema: bool = False


class LoginTaken(StreamFactoryError):
    """A role has the name of a component's login, and its comment does not say that it is one.

    Rename it, or say that it is ours with the COMMENT ON ROLE that the error shows.
    """

    code = "DF3302"

    def __init__(self, role: str, comment_statement: str) -> None:
        self.role = role
        what = "it is there, and its comment does not say that it is a component's login"
        super().__init__(f"role {role}", what, f"Rename it, or say that it is ours: {comment_statement}")


class LoginMissing(StreamFactoryError):
    """A component's login is missing, and the user of this session may not create roles.

    Let a DBA run what dagfactory bootstrap --roles --print prints, or name a role that may in DAGFACTORY_ADMIN_DSN.
    """

    code = "DF3303"

    def __init__(self, role: str, user: str) -> None:
        self.role, self.user = role, user
        super().__init__(f"role {role}", f"it is missing, and {user} may not create roles", PRINT)


def existing_roles(session: ControlSession) -> list[Role]:
    """Return the state of the platform's logins. Raises LoginTaken if a name is somebody else's."""
    database = logins.database_of(session.execute)
    wanted = {names.component_login(database, session.platform, duty.value): duty for duty in Duty}
    rows = session.run(STATEMENTS["existing_roles"], {"schema": session.schema, "roles": list(wanted)})
    found = {name: rest for name, *rest in rows}
    for name, (comment, *_) in found.items():
        if comment != logins.comment(session.platform, wanted[name]):
            raise LoginTaken(name, _comment_statement(session, name, wanted[name]))
    return [
        Role(name, duty, True, *map(bool, found[name][1:])) if name in found else Role(name, duty)
        for name, duty in wanted.items()
    ]


def make_role(session: ControlSession, role: Role, *, dry_run: bool) -> Iterator[str]:
    """Create a role if it is missing, and give it access to database and schema; yield what was done, in words.

    Raises LoginMissing if this session's user may not.
    """
    name, database = sql.Identifier(role.name), logins.database_of(session.execute)
    if not role.there:
        yield f"role {role.name} created"
        if not dry_run:
            _check_may_create(session, role.name)
            _execute(session, "create_role", role=name)
            comment = sql.Literal(logins.comment(session.platform, role.duty))
            _execute(session, "comment_role", role=name, comment=comment)
    if not role.may_connect:
        yield f"CONNECT on database {database} granted to {role.name}"
        if not dry_run:
            _execute(session, "let_connect", role=name, database=sql.Identifier(database))
    if not role.may_use_schema:
        yield f"USAGE on schema {session.schema} granted to {role.name}"
        if not dry_run:
            _execute(session, "let_use_schema", role=name, schema=sql.Identifier(session.schema))


def set_password(session: ControlSession, role: Role, password: str) -> None:
    """Set the role's password; the server receives a SCRAM verifier of it. Raises MergeStoreError."""
    verifier = encrypt_password(password, role.name, scope=session.connection, algorithm="scram-sha-256")
    parts = {"role": sql.Identifier(role.name), "verifier": sql.Literal(verifier)}
    _execute(session, "set_password", **parts)


def _check_may_create(session: ControlSession, role: str) -> None:
    ((user, may),) = session.run(STATEMENTS["may_create_roles"])
    if not may:
        raise LoginMissing(role, user)


def _comment_statement(session: ControlSession, role: str, duty: Duty) -> str:
    parts = {"role": sql.Identifier(role), "comment": sql.Literal(logins.comment(session.platform, duty))}
    return composed(STATEMENTS["comment_role"], "", "", {}, **parts).as_string(session.connection)


def _execute(session: ControlSession, name: str, **parts: sql.Composable) -> None:
    where = f"role {parts['role'].as_string(session.connection)}"
    session.run(STATEMENTS[name], NO_VALUES, where=where, **parts)
