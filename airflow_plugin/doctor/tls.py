"""Which connections are in TLS, which of them have to be, and what would keep a password from a stranger."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import libpq_version, make_dsn, parse_dsn

from airflow_plugin.control.connection import connect, place
from airflow_plugin.doctor.finding import Area, Finding
from airflow_plugin.doctor.statements import fetch
from airflow_plugin.rows.policy import source_hosts
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.store_tls import dsn_with_tls, leads_here, modelled_tls
from airflow_plugin.sync.graph import stream_graph
from config_schema import names
from config_schema.errors import StreamFactoryError
from config_schema.library_output import no_library_output
from config_schema.load import Model
from config_schema.model import Database, Runner, SourceKind
from config_schema.problem import Rule
from config_schema.tls import LEAST_LIBPQ, Tls, is_local, may_send_clear_text, strongest

TLS_IS_DEMANDED = Rule("DF3611", "The connection demands TLS, so that nobody in between can switch it off.")
TLS_IS_USED = Rule("DF3612", "The connection uses TLS.")
PASSWORD_IS_SAFE = Rule("DF3613", "The client does not send its password in clear text.")
SSLMODE_IS_NOT_SET = Rule("DF3614", "PGSSLMODE is not set; it does not reach the jobs.")
DATABASES_HAVE_TLS = Rule("DF3615", "The model or the settings demand TLS for every database that a platform reaches.")

SERVER_IS_ADMITTED = Rule("DF3616", "The settings name the servers to which the model sends passwords.")

NAMES_SHOWN = 5
CONSUMERS = "consumers' database"
WRITE = "Write tls: verify-full (or require) for it in the model"


def session_findings(area: Area, connection: Connection, dsn: str, title: str) -> Iterator[Finding]:
    """Yield findings on a session's TLS, by libpq and by the server: they differ if there is a proxy in between."""
    parts = parse_dsn(dsn)
    used, mode = _used(connection), connection.info.dsn_parameters.get("sslmode", "")
    local = leads_here(parts)
    if connection.info.ssl_in_use and mode not in ("allow", "prefer"):
        yield area.ok(f"{title}: {used}, sslmode {mode}")
    elif local or parts.get("sslmode") == Tls.DISABLE.value:
        why = "the server is on this machine" if local else "tls: disable"
        yield area.ok(f"{title}: {used} ({why})")
    elif connection.info.ssl_in_use:
        what = f"{title}: {used}, but nothing demands it: whoever is in between can pretend that the server has none"
        yield area.warning(TLS_IS_DEMANDED, what, f"{WRITE}, and run dagfactory bootstrap")
    else:
        what = f"{title}: no TLS: rows are readable on the network, and anybody on it can pretend to be the server"
        yield area.warning(TLS_IS_USED, what, f"Switch TLS on at the server. {WRITE}, and run dagfactory bootstrap")
    if not local and may_send_clear_text(parts, os.environ) and libpq_version() < LEAST_LIBPQ:
        what = f"{title}: libpq {libpq_version() // 10000} is older than 16 and sends a password in clear text if asked"
        yield area.warning(PASSWORD_IS_SAFE, what, f"{WRITE}, or install a psycopg2 with a newer libpq")
    for (in_tls,) in fetch(connection, "in_tls"):
        if in_tls == connection.info.ssl_in_use:
            continue
        there = "in TLS" if in_tls else "without TLS"
        yield area.ok(f"{title}: a proxy stands between, which reaches the server {there}")


def platform_tls_findings(settings: PlatformSettings, model: Model | None) -> Iterator[Finding]:
    """Yield databases that the model leaves without TLS; where jobs run here, also what their sessions use."""
    area = Area("tls", settings.original_platform_name)
    if os.environ.get("PGSSLMODE"):
        what = "PGSSLMODE is set here, and does not reach jobs"
        yield area.warning(
            SSLMODE_IS_NOT_SET, what, "Write tls for the databases in the model, or least_tls in the settings"
        )
    if model is None:
        return
    databases = _databases(settings, model)
    least = Tls(settings.least_tls) if settings.least_tls else None
    here = {names.secret_variable(one.credential, "password") for one in databases.values()} & os.environ.keys()
    for title, database in databases.items():
        if settings.runners[:1] == (Runner.PROCESS.value,) and here and database.kind is SourceKind.POSTGRESQL:
            yield from _of_database(area, settings, title, database, least)
    open_ones = [
        title
        for title, one in databases.items()
        if not one.is_on_disk and not one.is_over_https and not is_local(one.host) and strongest(one.tls, least) is None
    ]
    if open_ones:
        shown = ", ".join(open_ones[:NAMES_SHOWN]) + (", ..." if len(open_ones) > NAMES_SHOWN else "")
        what = f"nothing demands TLS of {len(open_ones)} databases ({shown})"
        yield area.warning(DATABASES_HAVE_TLS, what, "Write tls for them in the model, or least_tls in the settings")


def _databases(settings: PlatformSettings, model: Model) -> dict[str, Database]:
    """Return the producers' databases that the platform reads, and its consumers', each once."""
    name = settings.original_platform_name
    configs = stream_graph(model.ecosystem, model.mappings).get(name, {}).values()
    found = {f"source of {store}": model.ecosystem.datastore(store).source for store in {c.store_name for c in configs}}
    platform = next((one for one in model.ecosystem.platforms if one.name == name), None)
    if platform is not None and platform.consumer_db is not None:
        found[CONSUMERS] = platform.consumer_db
    return dict(sorted(found.items()))


def _is_admitted(settings: PlatformSettings, title: str, database: Database) -> bool:
    """Return whether the settings name the server and the secret for it: whoever writes the model does not decide."""
    server, secret = f"{database.host}:{database.port}", database.credential
    if title == CONSUMERS:
        admitted = f"{settings.consumer_db_hostname}:{settings.consumer_db_port or database.port}"
        return server == admitted and secret == settings.consumer_db_credential_secret_name
    allowed = settings.allowed
    return server in source_hosts(settings, secret).split(",") and secret in (
        *settings.source_credential_secret_names,
        *allowed.source_credential_secret_name,
    )


def _of_database(
    area: Area, settings: PlatformSettings, title: str, database: Database, least: Tls | None
) -> Iterator[Finding]:
    if not _is_admitted(settings, title, database):
        what = f"{title} is not looked at, because the model names another server or secret for it than the settings do"
        yield area.warning(SERVER_IS_ADMITTED, what, "Run dagfactory bootstrap --diff; or correct the model")
        return
    login = [os.environ.get(names.secret_variable(database.credential, key)) for key in ("username", "password")]
    if not all(login):
        return
    user, password = login
    plain = make_dsn(host=database.host, port=database.port, dbname=database.database, user=user, password=password)
    dsn = dsn_with_tls(plain, modelled_tls(database, least))
    try:
        with no_library_output():  # a producer's server talks as a session begins
            opened = connect(dsn, title)
        with closing(opened) as connection:
            connection.set_session(readonly=True)
            yield from session_findings(area, connection, dsn, f"{title}, {place(dsn)}")
    except StreamFactoryError as error:
        yield area.warning_of_error(error)


def _used(connection: Connection) -> str:
    if not connection.info.ssl_in_use:
        return "no TLS"
    return f"{connection.info.ssl_attribute('protocol')} with {connection.info.ssl_attribute('cipher')}"
