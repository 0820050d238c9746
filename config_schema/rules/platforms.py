"""Addresses, databases and secrets of platforms and producers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from config_schema import names
from config_schema.model import Ecosystem, SourceKind
from config_schema.problem import Finding

# With brackets in it, Oracle's driver would read more of its address: another server, or that it need not be verified.
SID = re.compile(r"[A-Za-z0-9_$#.-]+")


def addresses_hold_no_secret(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield addresses with a password, which would appear in rows, plans and logs. Its value is not repeated here."""
    for i, platform in enumerate(ecosystem.platforms):
        try:
            password = urlsplit(platform.model.url).password
        except ValueError:
            yield f"platforms[{i}].model.url", "this is no address", "Write https://..., ssh or a local path"
            continue
        if password is not None:
            todo = f"Take it out, and put the token into the secret {platform.model.credential!r}"
            yield f"platforms[{i}].model.url", "there is a password in the address", todo


def merge_stores_are_postgresql(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield merge stores and consumers' databases that are not PostgreSQL."""
    for i, platform in enumerate(ecosystem.platforms):
        if platform.merge_store.kind is not SourceKind.POSTGRESQL:
            what = f"{platform.merge_store.kind.value!r} cannot hold merge tables"
            yield f"platforms[{i}].merge_store.kind", what, "Name a PostgreSQL database"
        if platform.consumer_db is not None and platform.consumer_db.kind is not SourceKind.POSTGRESQL:
            what = f"{platform.consumer_db.kind.value!r} cannot hold consumers' views"
            yield f"platforms[{i}].consumer_db.kind", what, "Name a PostgreSQL database"


def oracle_databases_are_sids(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield databases of Oracle whose name holds more than a name."""
    for i, store in enumerate(ecosystem.datastores):
        name = store.source.database
        if store.source.kind is SourceKind.ORACLE and not SID.fullmatch(name):
            todo = "Write it with letters, digits and _ $ # . - only"
            yield f"datastores[{i}].source.database", f"{name!r:.100} is no SID of Oracle", todo


def secrets_have_variables_of_their_own(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield secrets (`a-b`, `a.b`) that share an environment variable, and so would share a password."""
    by_variable: dict[str, str] = {}
    reported: set[str] = set()
    for path, secret in _secrets(ecosystem):
        variable = names.secret_variable(secret, "password")
        other = by_variable.setdefault(variable, secret)
        if other != secret and secret not in reported:
            reported.add(secret)
            yield path, f"the secrets {other!r} and {secret!r} would both be {variable}", "Rename one of them"


def _secrets(ecosystem: Ecosystem) -> Iterator[tuple[str, str]]:
    for i, one in enumerate(ecosystem.platforms):
        at = f"platforms[{i}]"
        yield f"{at}.merge_store.credential", one.merge_store.credential
        yield f"{at}.model.credential", one.model.credential
        yield f"{at}.slack_credential", one.slack_credential
        if one.consumer_db is not None:
            yield f"{at}.consumer_db.credential", one.consumer_db.credential
        if one.consumer_reader is not None:
            yield f"{at}.consumer_reader", one.consumer_reader
    for i, store in enumerate(ecosystem.datastores):
        yield f"datastores[{i}].source.credential", store.source.credential
