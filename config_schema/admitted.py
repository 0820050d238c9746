"""Which databases a platform's own jobs may use: its settings decide, as whoever writes the model may not."""

from __future__ import annotations

import json
from collections.abc import Mapping

from config_schema import names
from config_schema.errors import StreamFactoryError

VARIABLE = "DATASURFACE_ADMITTED_DATABASES"  # older images do not know it; an option would end them
MERGE_STORE, CONSUMER_DB = "merge_store", "consumer_db"


class DatabaseNotAdmitted(StreamFactoryError):
    """The model names another merge store or consumers' database, or other secrets for it, than the settings do.

    Run dagfactory bootstrap, and install the settings file; or correct the model.
    """

    code = "DF1013"

    def __init__(self, platform: str, role: str, named: str | None) -> None:
        self.platform, self.role = platform, role
        what = f"{role} in the model is not that of the platform's settings: another database, or another secret for it"
        super().__init__(
            platform, what, "Run dagfactory bootstrap, and install its settings file; or correct the model"
        )
        self.with_private(named or "none")


def database_words(host: str, port: int | None, database: str, *secrets: str | None) -> str:
    """Return a database and the secrets for it as one text, equal on either side."""
    return f"{host}:{port or 5432}/{database} ({', '.join(filter(None, secrets))})"


def admitted_databases(platform: str, merge_store: str, consumer_db: str | None) -> dict[str, str]:
    """Return the variable that tells a job of a platform which databases its settings name."""
    of_settings = {"platform": platform, MERGE_STORE: merge_store, CONSUMER_DB: consumer_db}
    return {VARIABLE: json.dumps(of_settings)}


def refuse_other_database(environment: Mapping[str, str], platform: str, role: str, named: str | None) -> None:
    """Raise DatabaseNotAdmitted if a job's environment admits another database than the model names for this role.

    A command that a person runs has no such variable.
    """
    given = environment.get(VARIABLE)
    if not given:
        return
    admitted = json.loads(given)
    if names.platform_name(admitted["platform"]) == names.platform_name(platform) and admitted.get(role) != named:
        raise DatabaseNotAdmitted(platform, role, named)
