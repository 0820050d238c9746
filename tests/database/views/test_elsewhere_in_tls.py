"""A consumers' database reaches the merge store as the model says of TLS."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from config_schema.model import Milestoning
from config_schema.tls import LEAST_LIBPQ, Tls
from merge_jobs.views.foreign import MergeStoreElsewhere
from tests.tls_server import TlsServer

LIVE = Milestoning.LIVE
TABLE = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"
OPTIONS = "SELECT srvoptions FROM pg_foreign_server WHERE srvname = 'yellowlive_merge_store'"
IN_TLS = "SELECT bool_and(ssl), count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = '{}'"


@pytest.fixture
def postgres(tls_server: TlsServer):
    return tls_server.server


@pytest.fixture
def apart(consuming, new_database, tls_server: TlsServer):
    case = consuming(TABLE, elsewhere=new_database("consumer"))
    with closing(psycopg2.connect(case.home.superuser_dsn)) as session, session, session.cursor() as cursor:
        cursor.execute(f'ALTER ROLE "{case.home.user}" CREATEROLE')
        cursor.execute("CREATE EXTENSION postgres_fdw")
        cursor.execute(f'GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO "{case.home.user}"')
    return case


def with_tls(case, monkeypatch, mode: Tls | None, ca: str | None):
    """The case with what its model says of the merge stores."""
    model = type(case).model.fget

    def changed(self):
        found = model(self)
        platforms = tuple(
            replace(one, merge_store=replace(one.merge_store, tls=mode, tls_ca=ca)) for one in found.ecosystem.platforms
        )
        return replace(found, ecosystem=replace(found.ecosystem, platforms=platforms))

    monkeypatch.setattr(type(case), "model", property(changed))


def test_the_foreign_server_verifies_what_the_model_says_and_follows_a_change_of_it(apart, monkeypatch, tls_server):
    case = apart
    case.bring()
    with_tls(case, monkeypatch, Tls.VERIFY_FULL, str(tls_server.ca))
    assert "change where server yellowlive_merge_store is" in case.bring()
    ((options,),) = case.query(OPTIONS)
    assert {"sslmode=verify-full", f"sslrootcert={tls_server.ca}"} <= set(options)
    reader = case.reader()
    with closing(psycopg2.connect(reader.dsn)) as session, session.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {case.name(LIVE, 'live')}")
        assert cursor.fetchall() == [(1,)]
        with closing(psycopg2.connect(case.home.superuser_dsn)) as looking, looking.cursor() as found:
            found.execute(IN_TLS.format(case.merging.target.user))
            assert found.fetchall() == [(True, 1)]
    with_tls(case, monkeypatch, Tls.VERIFY_FULL, str(tls_server.other_ca))
    with pytest.raises(AssertionError, match="tls_ca"):
        case.bring()
    assert case.query(OPTIONS) == [(options,)]


@pytest.mark.parametrize(
    ("mode", "ca", "version", "reached", "wanted"),
    [
        (None, None, LEAST_LIBPQ - 1, {"sslmode": "prefer"}, {}),
        (None, None, LEAST_LIBPQ, {"sslmode": "prefer"}, {"require_auth": "!password"}),
        # The merge store wanted the password in clear text: we gave it in TLS, and so must the foreign server.
        (None, None, LEAST_LIBPQ, {"sslmode": "require"}, {"sslmode": "require"}),
        (Tls.DISABLE, None, LEAST_LIBPQ, {}, {"sslmode": "disable"}),
        (Tls.REQUIRE, None, LEAST_LIBPQ, {}, {"sslmode": "require"}),
        (Tls.VERIFY_FULL, None, LEAST_LIBPQ, {}, {"sslmode": "verify-full", "sslrootcert": "system"}),
        (Tls.VERIFY_FULL, None, LEAST_LIBPQ - 1, {}, {"sslmode": "verify-full"}),
        (
            *(Tls.VERIFY_CA, "pg-ca", LEAST_LIBPQ, {}),
            {"sslmode": "verify-ca", "sslrootcert": "/etc/dagfactory/tls/pg-ca/ca.crt"},
        ),
    ],
)
def test_what_a_foreign_server_is_given_fits_the_version_of_its_database(mode, ca, version, reached, wanted):
    from merge_jobs.database.connections import ConnectionInfo

    place = ConnectionInfo("pg-data", 5432, "merge", "public", "u", "p", tls=mode, tls_ca=ca)
    store = MergeStoreElsewhere("Demo", None, place)
    given = store.options(version, reached)
    assert {key: given[key] for key in given.keys() & {"sslmode", "sslrootcert", "require_auth"}} == wanted
