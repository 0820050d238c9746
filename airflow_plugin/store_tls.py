"""How a platform's merge store is reached in TLS by Airflow's side: what its settings add to a DSN."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from config_schema.errors import FileMalformed
from config_schema.tls import Tls, is_local, libpq_options, strongest

if TYPE_CHECKING:
    from config_schema.model import Database


@dataclass(frozen=True)
class StoreTls:
    """What is demanded for the merge store at `host`; `ca` as `tls_ca` in the model."""

    mode: Tls | None = None
    ca: str | None = None
    host: str = ""


def modelled_tls(database: Database, least: Tls | None = None) -> StoreTls:
    """Return what the model says of a database, with the least mode demanded of all."""
    return StoreTls(strongest(database.tls, least), database.tls_ca, database.host)


def settings_tls(path: Path) -> StoreTls:
    """Return what a settings file says; nothing without a file. Raises StreamFactoryError for a broken one."""
    try:
        data = json.loads(path.read_text("utf-8"))
        modes = [Tls(data[key]) for key in ("postgres_tls", "least_tls") if data.get(key) is not None]
    except FileNotFoundError:
        return StoreTls()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = "what it says of TLS cannot be read"
        raise FileMalformed(path, what, "Run dagfactory doctor, which names each fault") from error
    return StoreTls(strongest(*modes), data.get("postgres_tls_ca"), data.get("postgres_hostname") or "")


def dsn_with_tls(dsn: str, wanted: StoreTls) -> str:
    """Return the DSN with the stronger of its own sslmode and the wanted; unchanged if it is not a DSN.

    A DSN of this machine itself, of a socket or of a proxy, is left unchanged, unless the merge store is here too.
    """
    if wanted.mode is None:
        return dsn
    import psycopg2
    from psycopg2.extensions import make_dsn, parse_dsn

    try:
        parts = parse_dsn(dsn)
    except (psycopg2.Error, UnicodeError):
        return dsn  # connecting says so, without a part of the password
    if leads_here(parts) and not is_local(wanted.host):
        return dsn
    own = parts.get("sslmode") or os.environ.get("PGSSLMODE")
    mode = strongest(wanted.mode, next((mode for mode in Tls if mode.value == own), None))
    options = libpq_options(mode, wanted.ca)
    if parts.get("sslrootcert") or os.environ.get("PGSSLROOTCERT"):
        options.pop("sslrootcert", None)
    joined: str = make_dsn(**{**parts, **options})
    return joined


def leads_here(parts: Mapping[str, str]) -> bool:
    """Return whether a DSN's parameters, with libpq's environment, lead to this machine only.

    Where a service leads is in a file that is not read here: it counts as elsewhere.
    """
    for name in ("hostaddr", "host"):
        if host := parts.get(name) or os.environ.get(f"PG{name.upper()}"):
            return is_local(host)
    return not (parts.get("service") or os.environ.get("PGSERVICE"))
