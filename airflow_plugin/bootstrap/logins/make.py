"""`dagfactory bootstrap --roles`: roles, their passwords, missing tables, and rights on tables.

Each step is skipped if it is not needed, so a second run changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping

from psycopg2.extensions import make_dsn

from airflow_plugin.bootstrap.logins.files import LoginFiles
from airflow_plugin.bootstrap.logins.roles import Role, existing_roles, make_role, set_password
from airflow_plugin.bootstrap.logins.target import ADMIN_VARIABLE, LoginStore
from airflow_plugin.control.connection import MergeStoreError, connect
from airflow_plugin.control.session import ControlSession, control_session
from airflow_plugin.control.stream_table import StreamTable
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.sql.component_logins import ComponentRights


def make_logins(
    target: LoginStore, environment: Mapping[str, str], files: LoginFiles, *, dry_run: bool = False
) -> Iterator[str]:
    """Create or correct the logins of a platform; yield what was done, or would be, in words.

    Raises StreamFactoryError: no connection, no right to create roles, a role of that name that is not ours.
    """
    where, dsn = target.admin(environment)
    with control_session(dsn, where, target.platform, target.store.schema) as session:
        roles = existing_roles(session)
        passwords = _Passwords(target, environment, files)
        for role in roles:
            yield from passwords.generate_password(role, dry_run=dry_run)
            yield from make_role(session, role, dry_run=dry_run)
            if not role.there and not dry_run and (password := passwords.of(role)):
                set_password(session, role, password)
        session.commit(where)
        for role in roles:
            if role.there:
                yield from _password_again(session, dsn, role, passwords, dry_run=dry_run)
        session.commit(where)
        if not dry_run:
            _check_ways_in(session, target)
    yield from _rights(target, environment, dry_run=dry_run)


class _Passwords:
    """The passwords of logins: from the environment, otherwise from their file, otherwise generated."""

    def __init__(self, target: LoginStore, environment: Mapping[str, str], files: LoginFiles) -> None:
        self._target, self._environment, self._files = target, environment, files

    def variable(self, role: Role) -> str:
        return names.login_password_variable(self._target.platform, role.duty.value)

    def of(self, role: Role) -> str | None:
        given = self._environment.get(self.variable(role))
        return given or self._files.password(self._target.platform, role.duty)

    def generate_password(self, role: Role, *, dry_run: bool) -> Iterator[str]:
        """Generate a password for a new role, and store it before the role is created: nothing else knows it.

        Yields in words that a password is stored, or that it is not known.
        """
        if self.of(role) is not None or not role.may_log_in:
            return
        if role.there:
            yield f"role {role.name}: its password is not known here; {self.variable(role)} would set another"
            return
        path = self._files.path(role.duty)
        if not dry_run:
            login = role.name, secrets.token_urlsafe(24)
            self._files.keep(self._target.platform, role.duty, self._target.place(self._environment), login)
        yield f"{path}: the login {role.name} written"


def _password_again(
    session: ControlSession, dsn: str, role: Role, passwords: _Passwords, *, dry_run: bool
) -> Iterator[str]:
    """Set a role's password to the expected one, unless it already works."""
    password = passwords.of(role)
    if password is None or not role.may_log_in:
        return
    try:
        connect(make_dsn(dsn, user=role.name, password=password), f"login {role.name}").close()
    except MergeStoreError:
        yield f"role {role.name}: its password set"
        if not dry_run:
            set_password(session, role, password)


class GrantMissing(StreamFactoryError):
    """A GRANT did not give a login its right, because the user who granted it may not.

    Let the owner of the database and of the schema grant it.
    """

    code = "DF3301"

    def __init__(self, role: str, right: str, todo: str) -> None:
        self.role, self.right = role, right
        super().__init__(f"role {role}", f"it lacks {right}", todo)


def _check_ways_in(session: ControlSession, target: LoginStore) -> None:
    """Raise GrantMissing if a GRANT had no effect: PostgreSQL only warns that the grantor may not."""
    for role in existing_roles(session):
        for what, may in (("CONNECT on the database", role.may_connect), ("USAGE on the schema", role.may_use_schema)):
            if not may:
                todo = f"Let the owner of {target.store.database} and of schema {target.store.schema} grant it"
                raise GrantMissing(role.name, what, todo)


def _rights(target: LoginStore, environment: Mapping[str, str], *, dry_run: bool) -> Iterator[str]:
    """Create missing tables as their owner, revoke other rights of logins on all of them, and grant what they lack."""
    try:
        where, dsn = target.owner(environment)
    except StreamFactoryError as error:
        if ADMIN_VARIABLE not in environment:
            raise
        yield f"rights on tables not looked at ({error.what}): run dagfactory db upgrade as their owner"
        return
    with control_session(dsn, where, target.platform, target.store.schema) as session:
        table, rights = StreamTable(session), ComponentRights(session.execute, session.platform, session.schema)
        table.take_sync_lock()
        for created in table.create_tables():
            yield f"table {created} created"
        for grant in rights.revoke_beyond():  # first: one of a table takes those of its columns with it
            yield f"revoked {grant}".replace(" to ", " from ")
        for grant in rights.grant_lacking():
            yield f"granted {grant}"
        if not dry_run:  # a look does the same, and takes it back
            session.commit(where)
