"""Which values `tls` and `tls_ca` of a database can have, by its kind."""

from __future__ import annotations

from collections.abc import Iterator

from config_schema.model import Database, Ecosystem, SourceKind
from config_schema.problem import Finding
from config_schema.tls import Tls


def tls_can_be_had(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield TLS modes that a driver lacks, and CAs that are missing or not used."""
    for path, database in _databases(ecosystem):
        if database.is_on_disk:
            if database.tls is not None or database.tls_ca is not None:
                yield f"{path}.tls", "a file is not reached through a network", "Leave tls and tls_ca out"
        elif database.kind is SourceKind.MSSQL:
            yield from _of_sql_server(path, database)
        elif database.tls_ca is not None and (database.tls is None or not database.tls.verifies):
            said = "is not given" if database.tls is None else f"is {database.tls.value}"
            what = f"tls {said}, which verifies no certificate"
            yield f"{path}.tls_ca", what, "Write tls: verify-full, or tls: verify-ca"
        elif database.tls is Tls.VERIFY_CA and database.tls_ca is None:
            what = "verify-ca takes any certificate of a CA, and the operating system's CAs sign anybody's"
            yield f"{path}.tls", what, "Give tls_ca, or write tls: verify-full"


def _of_sql_server(path: str, database: Database) -> Iterator[Finding]:
    if database.tls is Tls.VERIFY_CA:
        what = "SQL Server's driver verifies the host with the certificate"
        yield f"{path}.tls", what, "Write tls: verify-full, or tls: require"
    if database.tls_ca is not None:
        what = "SQL Server's driver verifies by the operating system's CAs"
        yield f"{path}.tls_ca", what, "Leave it out, and put the CA into the merge-job image"


def _databases(ecosystem: Ecosystem) -> Iterator[tuple[str, Database]]:
    for i, platform in enumerate(ecosystem.platforms):
        yield f"platforms[{i}].merge_store", platform.merge_store
        if platform.consumer_db is not None:
            yield f"platforms[{i}].consumer_db", platform.consumer_db
    for i, store in enumerate(ecosystem.datastores):
        yield f"datastores[{i}].source", store.source
