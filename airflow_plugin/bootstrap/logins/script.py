"""The SQL that creates a platform's logins, for a DBA: it needs no connection and contains no password. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_plugin.bootstrap.logins.target import LoginStore
from config_schema import names
from config_schema.sql import component_logins as logins
from config_schema.sql.component_logins import Duty
from config_schema.sql.statements import SqlFile, quoted

STATEMENTS = SqlFile(__file__)
HEADING = """\
-- Logins of the components of {original}, in database {database} on {place}. Run this by psql, connected to that
-- database, as a superuser, or as a role that may create roles and owns the database. A second run changes nothing.
-- A login of your own has the same rights as a member: GRANT {role} TO "my_login";
-- psql asks for each password and sends it encrypted: \\password {role}
"""


def script(target: LoginStore, environment: Mapping[str, str]) -> str:
    """Return a psql script; tables that do not exist yet get their rights from whoever creates them."""
    return "\n".join(_lines(target, target.place(environment).get("dbname", target.store.database))) + "\n"


def _lines(target: LoginStore, name_of_database: str) -> Iterator[str]:
    store, platform = target.store, target.platform
    roles = {duty: names.component_login(name_of_database, platform, duty.value) for duty in Duty}
    database, schema = quoted(name_of_database), quoted(store.schema)
    place = f"{store.host}:{store.port}"
    reader = quoted(roles[Duty.READER])
    yield HEADING.format(original=target.original, database=database, place=place, role=reader)
    for duty, name in roles.items():
        role = quoted(name)
        creating, comment = _literal(f"CREATE ROLE {role} LOGIN"), _literal(logins.comment(platform, duty))
        parts = {"creating": creating, "name": _literal(name), "role": role, "comment": comment}
        yield _put("role", **parts, database=database, schema=schema) + ";"
        for table, of_table in logins.privileges(platform, duty).items():
            qualified = quoted(store.schema, table)
            granting = f"GRANT {', '.join(of_table)} ON TABLE {qualified} TO {role}"
            yield _put("grant", granting=_literal(granting), table=_literal(qualified))
        yield ""


def _put(title: str, /, **parts: str) -> str:
    return STATEMENTS[title].checked(parts).format(**parts)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
