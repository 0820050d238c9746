"""By which login each component reaches a merge store, and whether that may do more than the component needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from psycopg2.extensions import connection as Connection

from airflow_plugin.control.connection import connect
from airflow_plugin.control.session import ControlSession
from airflow_plugin.doctor.finding import Area, Finding
from airflow_plugin.doctor.statements import fetch
from airflow_plugin.settings import PlatformSettings, web_dsn
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.problem import Rule
from config_schema.sql import component_logins as logins
from config_schema.sql.component_logins import Duty

LOGIN_HAS_LEAST_RIGHTS = Rule("DF3641", "A component's login may do only what the component needs.")

AREA = "logins"
MAKE = "Run dagfactory bootstrap --roles, which makes a login for each component, and give them those for"


def login_findings(
    settings: PlatformSettings, connection: Connection, dsn: tuple[str, str], *, in_airflow: bool
) -> Iterator[Finding]:
    """Yield findings on the session's login, found at `dsn`, and on the pages' login if they have another."""
    area = Area(AREA, settings.original_platform_name)
    if not in_airflow:
        yield _of_login(area, settings, connection, f"{dsn[1]} (sync)", (Duty.SYNC,))
        return
    try:
        pages, where = web_dsn(settings.platform_name)
    except StreamFactoryError as error:
        yield from area.of_error(error)
        return
    if where == dsn[1]:
        components = f"{where} (dag-processor, workers, api-server)"
        yield _of_login(area, settings, connection, components, (Duty.READER, Duty.WORKER, Duty.PAGES))
        return
    yield _of_login(area, settings, connection, f"{dsn[1]} (dag-processor, workers)", (Duty.READER, Duty.WORKER))
    try:
        with closing(connect(pages, where)) as other:
            other.set_session(readonly=True)
            yield _of_login(area, settings, other, f"{where} (api-server)", (Duty.PAGES,))
    except StreamFactoryError as error:
        yield from area.of_error(error)


def _of_login(
    area: Area, settings: PlatformSettings, connection: Connection, components: str, duties: tuple[Duty, ...]
) -> Finding:
    platform, schema = settings.platform_name, settings.merge_store_schema
    database = logins.database_of(ControlSession.of(connection, settings).execute)
    values = logins.lookup(platform, database, schema)
    ((user, is_powerful, is_owner, there),) = fetch(connection, "login", values)
    if not is_owner and not is_powerful:
        return area.ok(f"{components}: {user}, who owns none of the tables")
    wanted = [names.component_login(database, platform, duty.value) for duty in duties]
    may = "owns the tables" if is_owner else "may make roles or pass by rights"
    what = f"{components}: {user}, who {may}: it can do more than this needs, change and drop merged data for one"
    if set(wanted) <= set(there):
        return area.warning(
            LOGIN_HAS_LEAST_RIGHTS, what, f"Give each its own login, which is there: {', '.join(wanted)}"
        )
    return area.warning(LOGIN_HAS_LEAST_RIGHTS, what, f"{MAKE}: {', '.join(duty.value for duty in duties)}")
