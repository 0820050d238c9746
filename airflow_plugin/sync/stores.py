"""The merge stores of the platforms: the origin of their DSN, one connection for all in one store, its environment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn

from airflow_plugin.control.connection import connect, identity
from airflow_plugin.control.job_model import JobModelTable
from airflow_plugin.control.migrations import refuse_tables_of_others
from airflow_plugin.control.session import ControlSession
from airflow_plugin.store_tls import dsn_with_tls, modelled_tls
from config_schema import names
from config_schema.admitted import MERGE_STORE, database_words, refuse_other_database
from config_schema.errors import StreamFactoryError, UnknownName, VariableMissing
from config_schema.model import Database, Platform
from config_schema.tls import Tls

LEAST_TLS_VARIABLE = "DAGFACTORY_LEAST_TLS"


@dataclass(frozen=True)
class ConnectedStore:
    """An open connection, and the platforms with tables behind it; `where` names the DSN's origin."""

    where: str
    connection: Connection
    platforms: tuple[Platform, ...]

    def session(self, platform: Platform) -> ControlSession:
        """Return a session on the tables of one of its platforms."""
        return ControlSession(self.connection, names.platform_name(platform.name), platform.merge_store.schema)


@contextmanager
def merge_stores(platforms: Iterable[Platform], environment: Mapping[str, str]) -> Iterator[list[ConnectedStore]]:
    """Connect to every platform's store; at the end close, and roll back what was not committed.

    Raises StreamFactoryError if one cannot be reached.
    """
    by_place: dict[tuple[str, ...], list[tuple[str, str, Platform]]] = defaultdict(list)
    for platform in platforms:
        where, dsn = platform_dsn(platform, environment)
        by_place[identity(dsn, where)].append((where, dsn, platform))
    stores: list[ConnectedStore] = []
    try:
        # In one order everywhere, so that two syncs wait for each other and not in a circle.
        for _, members in sorted(by_place.items()):
            where, dsn, _ = members[0]
            in_order = sorted((platform for _, _, platform in members), key=lambda platform: platform.name)
            stores.append(ConnectedStore(where, connect(dsn, where), tuple(in_order)))
            for platform in in_order:
                refuse_tables_of_others(stores[-1].session(platform))
            stores[-1].connection.rollback()
        yield stores
    finally:
        for store in stores:
            store.connection.close()


def platform_dsn(platform: Platform, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return (origin, DSN): DAGFACTORY_<PLATFORM>_DSN, otherwise the model with its secret's variables.

    TLS is that of the model, or DAGFACTORY_LEAST_TLS if that is stronger. Raises StreamFactoryError.
    """
    return store_dsn(platform.name, platform.merge_store, environment)


def store_dsn(platform: str, store: Database, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the same for a merge store of the platform named so in the model.

    Raises VariableMissing if neither the DSN nor the login is in the environment, UnknownName for an unknown mode of
    TLS.
    """
    variable = names.dsn_variable(names.platform_name(platform))
    tls = modelled_tls(store, least_tls(environment))
    if dsn := environment.get(variable):
        return variable, dsn_with_tls(dsn, tls)
    named = database_words(store.host, store.port, store.database, store.credential)
    refuse_other_database(environment, platform, MERGE_STORE, named)
    login = [names.secret_variable(store.credential, key) for key in ("username", "password")]
    missing = [name for name in login if name not in environment]
    if missing:
        todo = f"Set {' and '.join(login)} for the secret {store.credential!r}, or {variable}"
        raise VariableMissing(missing, todo, f"merge store of {platform}")
    user, password = (environment[name] for name in login)
    where = f"merge store of {platform}, with {login[0]} and {login[1]}"
    dsn = make_dsn(host=store.host, port=store.port, dbname=store.database, user=user, password=password)
    return where, dsn_with_tls(dsn, tls)


def least_tls(environment: Mapping[str, str]) -> Tls | None:
    """Return the weakest mode of TLS that DAGFACTORY_LEAST_TLS allows. Raises UnknownName for none."""
    given = environment.get(LEAST_TLS_VARIABLE)
    try:
        return Tls(given) if given else None
    except ValueError:
        raise UnknownName(LEAST_TLS_VARIABLE, "mode of TLS", str(given), [mode.value for mode in Tls]) from None


class EnvironmentDiffers(StreamFactoryError):
    """A platform's merge store was synced for another environment of the model than the one that is chosen.

    Choose the environment of the merge store, or name the right merge store. If it has really become one of another
    environment, delete the row of kind 'platform' in its table <platform>_job_model first: sync writes it again.
    """

    code = "DF3008"

    def __init__(self, platform: str, recorded: str, chosen: str) -> None:
        self.platform, self.recorded, self.chosen = platform, recorded, chosen
        what = f"its merge store is that of the environment {recorded}, and {chosen} is chosen"
        todo = f"Give --environment {recorded}, or check where DAGFACTORY_<PLATFORM>_DSN leads"
        super().__init__(platform, what, todo)


def refuse_other_environment(environment: str | None, stores: Iterable[ConnectedStore]) -> None:
    """Raise EnvironmentDiffers if a merge store was synced for another environment than this one."""
    if environment is None:
        return
    for store in stores:
        for platform in store.platforms:
            recorded = JobModelTable(store.session(platform)).environment()
            if recorded is not None and recorded != environment:
                raise EnvironmentDiffers(platform.name, recorded, environment)
