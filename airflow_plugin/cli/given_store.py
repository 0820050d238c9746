"""Options with which a platform's jobs name its merge store, as `merge-job` takes them: a pod has no settings file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from config_schema.tls import Tls

if TYPE_CHECKING:
    from airflow_plugin.streams.opening import StorePlace

Host = Annotated[str | None, typer.Option("--postgres-host", hidden=True)]
Port = Annotated[int, typer.Option("--postgres-port", hidden=True)]
DatabaseName = Annotated[str, typer.Option("--postgres-database", hidden=True)]
Schema = Annotated[str, typer.Option("--postgres-schema", hidden=True)]
Credential = Annotated[str, typer.Option("--postgres-credential", hidden=True)]
StoreTls = Annotated[Tls | None, typer.Option("--postgres-tls", hidden=True)]
StoreCa = Annotated[str | None, typer.Option("--postgres-tls-ca", hidden=True)]
LeastTls = Annotated[str | None, typer.Option("--least-tls", hidden=True, envvar="DAGFACTORY_LEAST_TLS")]


def given_store(
    platform: str,
    host: str | None,
    port: int,
    database: str,
    schema: str,
    credential: str,
    tls: Tls | None,
    ca: str | None,
    least_tls: str | None,
) -> StorePlace | None:
    """Return the merge store that the options name; None without a host, so that settings and variables say it.

    Raises StreamFactoryError if the secret's variables are missing.
    """
    import os

    from airflow_plugin.settings import PlatformSettings
    from airflow_plugin.streams.opening import StorePlace
    from airflow_plugin.sync.stores import LEAST_TLS_VARIABLE, store_dsn
    from config_schema.model import Database

    if host is None:
        return None
    store = Database(host, database, credential, port, schema, tls=tls, tls_ca=ca)
    environment = os.environ | ({LEAST_TLS_VARIABLE: least_tls} if least_tls else {})
    where, dsn = store_dsn(platform, store, environment)
    return StorePlace(PlatformSettings(original_platform_name=platform, merge_store_schema=schema), dsn, where)
