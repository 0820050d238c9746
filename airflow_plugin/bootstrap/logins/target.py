"""The merge stores in which logins are created: those of a model's platforms, or of one settings file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn

from airflow_plugin.settings import PlatformSettings, settings_in
from airflow_plugin.store_tls import dsn_with_tls, modelled_tls
from airflow_plugin.sync.stores import least_tls, store_dsn
from config_schema import names
from config_schema.errors import DsnMalformed, FileMalformed
from config_schema.model import Database, Platform
from config_schema.tls import Tls, strongest

ADMIN_VARIABLE = "DAGFACTORY_ADMIN_DSN"


@dataclass(frozen=True)
class LoginStore:
    """A platform and its merge store; `original` is its name in the model."""

    original: str
    store: Database

    @property
    def platform(self) -> str:
        """The platform's name in tables and DAG ids."""
        return names.platform_name(self.original)

    def place(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return host, port, dbname and other parameters of a DSN, without a login.

        From DAGFACTORY_<PLATFORM>_DSN, otherwise from the model. Raises StreamFactoryError.
        """
        variable, store = names.dsn_variable(self.platform), self.store
        modelled = {"host": store.host, "port": str(store.port), "dbname": store.database}
        parts = _parsed(environment.get(variable, ""), variable)
        return {key: value for key, value in (parts or modelled).items() if key not in ("user", "password")}

    def owner(self, environment: Mapping[str, str]) -> tuple[str, str]:
        """Return the origin of the owner's DSN, and the DSN. Raises StreamFactoryError."""
        return store_dsn(self.original, self.store, environment)

    def admin(self, environment: Mapping[str, str]) -> tuple[str, str]:
        """Return the same for the role that creates roles: DAGFACTORY_ADMIN_DSN with this database, or the owner's."""
        if not (given := environment.get(ADMIN_VARIABLE)):
            return self.owner(environment)
        parts = _parsed(given, ADMIN_VARIABLE) | {"dbname": self.place(environment).get("dbname", self.store.database)}
        return ADMIN_VARIABLE, dsn_with_tls(make_dsn(**parts), modelled_tls(self.store, least_tls(environment)))


def of_platform(platform: Platform) -> LoginStore:
    """Return the target of a platform of the model."""
    return LoginStore(platform.name, platform.merge_store)


def of_settings(path: Path) -> LoginStore:
    """Return the target that a settings file names. Raises FileMalformed if it lacks what bootstrap writes."""
    try:
        original = json.loads(path.read_text("utf-8"))["original_platform_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = "it is no settings file that can be read"
        raise FileMalformed(path, what, "Give one that dagfactory bootstrap has written") from error
    settings = settings_in(path, str(original))
    assert settings is not None
    host, database, credential = (
        _needed(settings, key, str(path))
        for key in ("postgres_hostname", "postgres_database", "postgres_credential_secret_name")
    )
    modes = [Tls(mode) for mode in (settings.postgres_tls, settings.least_tls) if mode]
    store = Database(
        host,
        database,
        credential,
        settings.postgres_port or 5432,
        settings.merge_store_schema,
        tls=strongest(*modes),
        tls_ca=settings.postgres_tls_ca,
    )
    return LoginStore(settings.original_platform_name, store)


def _parsed(dsn: str, where: str) -> dict[str, str]:
    try:
        parts: dict[str, str] = parse_dsn(dsn)
    except (psycopg2.Error, UnicodeError):  # what libpq says of it could hold a part of the password
        raise DsnMalformed(where) from None
    return parts


def _needed(settings: PlatformSettings, key: str, where: str) -> str:
    if value := getattr(settings, key):
        return str(value)
    raise FileMalformed(where, f"it lacks {key}", "Write the file again with dagfactory bootstrap")
