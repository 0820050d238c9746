"""Sessions with PostgreSQL in TLS, from a job and from Airflow: with a server that has it, a wrong name, a stranger."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from psycopg2.extensions import libpq_version, make_dsn
from psycopg2.sql import SQL

from airflow_plugin.control import connection
from airflow_plugin.control.connection import MergeStoreError
from airflow_plugin.store_tls import StoreTls, dsn_with_tls
from config_schema import tls as tls_module
from config_schema.tls import LEAST_LIBPQ, Tls
from merge_jobs.database import connections
from merge_jobs.database.connections import ConnectionInfo, tls_used
from merge_jobs.errors import ConnectFailed
from tests.middle import PostgresMiddle
from tests.tls_server import WORD, TlsServer

IN_TLS = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
needs_require_auth = pytest.mark.skipif(libpq_version() < LEAST_LIBPQ, reason="this libpq is older than 16")


def by_job(place: ConnectionInfo) -> bool:
    with closing(connections.connect(place, "test", "source", 1)) as session, session.cursor() as cursor:
        cursor.execute(IN_TLS)
        found = bool(cursor.fetchone()[0])
        assert found == (tls_used(session) != "no TLS")
        return found


def dsn(place: ConnectionInfo) -> str:
    plain = make_dsn(host=place.host, port=place.port, dbname=place.database, user=place.user, password=place.password)
    return dsn_with_tls(plain, StoreTls(place.tls, place.tls_ca, place.host))


def by_airflow(place: ConnectionInfo) -> bool:
    with closing(connection.connect(dsn(place), "merge store")) as session, session.cursor() as cursor:
        cursor.execute(IN_TLS)
        return bool(cursor.fetchone()[0])


def by_parse(place: ConnectionInfo) -> bool:
    return bool(connection.fetch_within(dsn(place), "merge store", SQL(IN_TLS), {}, seconds=10)[0][0])


REFUSED = (ConnectFailed, MergeStoreError)  # by a job, and on Airflow's side
WAYS: list[Callable[[ConnectionInfo], bool]] = [by_job, by_airflow, by_parse]
pytestmark = pytest.mark.parametrize("way", WAYS)


def place_at(port: int, user: str = "plain", **more: Any) -> ConnectionInfo:
    return ConnectionInfo("127.0.0.1", port, "postgres", "public", user, WORD, **more)


@pytest.mark.parametrize("mode", list(Tls))
def test_each_mode_reaches_a_server_that_has_what_it_wants(way, mode, tls_server: TlsServer):
    ca = str(tls_server.ca) if mode.verifies else None
    assert way(place_at(tls_server.port, tls=mode, tls_ca=ca)) == (mode is not Tls.DISABLE)


def test_a_server_with_tls_is_reached_in_it_without_a_word(way, tls_server: TlsServer):
    assert way(place_at(tls_server.port))


def test_a_certificate_for_another_name_is_refused_by_verify_full_alone(way, tls_server: TlsServer):
    place = replace(place_at(tls_server.port, tls=Tls.VERIFY_CA, tls_ca=str(tls_server.ca)), host="localhost")
    assert way(place)
    with pytest.raises(REFUSED, match=r"Name the host as its certificate does") as caught:
        way(replace(place, tls=Tls.VERIFY_FULL))
    assert not caught.value.retryable


@pytest.mark.parametrize("mode", [Tls.VERIFY_CA, Tls.VERIFY_FULL])
def test_a_certificate_of_another_ca_is_refused(way, mode, tls_server: TlsServer):
    with pytest.raises(REFUSED, match="tls_ca"):
        way(place_at(tls_server.port, tls=mode, tls_ca=str(tls_server.other_ca)))


def test_a_ca_that_is_not_mounted_is_named(way, tls_server: TlsServer, monkeypatch, tmp_path):
    monkeypatch.setattr(tls_module, "CA_FOLDER", str(tmp_path))
    place = place_at(tls_server.port, tls=Tls.VERIFY_FULL, tls_ca="pg-ca")
    with pytest.raises(REFUSED, match="mount the Secret or ConfigMap that it names"):
        way(place)
    (tmp_path / "pg-ca").mkdir()
    (tmp_path / "pg-ca" / "ca.crt").write_bytes(tls_server.ca.read_bytes())
    assert way(place)


@pytest.mark.parametrize("mode", [Tls.REQUIRE, Tls.VERIFY_CA, Tls.VERIFY_FULL])
def test_a_server_without_tls_is_refused_with_the_key_to_set(way, mode, postgres, tls_server: TlsServer):
    place = ConnectionInfo("127.0.0.1", postgres.port, "postgres", "public", "postgres", postgres.password)
    assert not way(place)
    with pytest.raises(REFUSED, match=r"write tls: disable for the database in the model") as caught:
        way(replace(place, tls=mode, tls_ca=str(tls_server.ca) if mode.verifies else None))
    assert not caught.value.retryable
    assert postgres.password not in str(caught.value)


@needs_require_auth
def test_a_password_in_clear_text_goes_in_tls_without_a_word(way, tls_server: TlsServer):
    assert way(place_at(tls_server.port, "in_clear"))


@needs_require_auth
def test_a_server_that_wants_it_without_tls_gets_it_only_by_the_word_disable(way, tls_server: TlsServer):
    with pytest.raises(REFUSED):
        way(place_at(tls_server.port, "no_tls"))
    assert not way(place_at(tls_server.port, "no_tls", tls=Tls.DISABLE))


@needs_require_auth
@pytest.mark.parametrize("mode", [None, Tls.REQUIRE, Tls.VERIFY_CA, Tls.VERIFY_FULL])
def test_a_man_in_the_middle_who_says_that_there_is_no_tls_gets_no_password(way, mode, tls_server: TlsServer):
    with PostgresMiddle().listening() as middle:
        ca = str(tls_server.ca) if mode is not None and mode.verifies else None
        with pytest.raises(REFUSED, match="tls: disable") as caught:
            way(place_at(middle.port, tls=mode, tls_ca=ca))
    assert middle.connections
    assert WORD.encode() not in middle.heard
    assert not caught.value.retryable


def test_the_man_in_the_middle_would_hear_a_password(way):
    with PostgresMiddle().listening() as middle, pytest.raises(REFUSED):
        way(place_at(middle.port, tls=Tls.DISABLE))
    assert WORD.encode() in middle.heard
