"""What of model, settings and command says how a job reaches its databases, and what each driver is given."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

import config_schema
from config_schema.errors import DsnMalformed
from config_schema.model import Database, SourceKind
from config_schema.tls import Tls, is_local, libpq_options, strongest, trusted_cas
from merge_jobs.catalogue import place_of_dsn
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.run.flags import (
    ModelFlags,
    StoreFlags,
    mapped_model_of,
    store_database,
)
from merge_jobs.sources.sql.tls import driver_arguments

EXAMPLES = Path(config_schema.__file__).parent / "examples"


@pytest.mark.parametrize(
    ("modelled", "flag", "least", "wanted"),
    [
        (None, None, None, None),
        (Tls.DISABLE, None, None, Tls.DISABLE),
        (Tls.VERIFY_FULL, Tls.REQUIRE, None, Tls.VERIFY_FULL),
        (Tls.REQUIRE, Tls.VERIFY_CA, None, Tls.VERIFY_CA),
        (Tls.DISABLE, None, Tls.VERIFY_FULL, Tls.VERIFY_FULL),
    ],
)
def test_the_strongest_word_counts(modelled, flag, least, wanted):
    database = Database("pg-data", "merge", "postgres", tls=modelled, tls_ca="of-the-model")
    found = store_database(StoreFlags(tls=flag, least_tls=least), database)
    assert (found.tls, found.tls_ca) == (wanted, "of-the-model")
    assert store_database(StoreFlags(tls_ca="of-the-settings"), database).tls_ca == "of-the-settings"
    assert strongest(modelled, flag, least) is wanted


def test_the_least_is_demanded_of_every_database_of_the_model():
    model, _ = mapped_model_of(ModelFlags(EXAMPLES), StoreFlags(least_tls=Tls.VERIFY_FULL), None)
    places = [one.merge_store for one in model.ecosystem.platforms]
    places += [one.source for one in model.ecosystem.datastores]
    assert {one.tls for one in places} == {Tls.VERIFY_FULL}
    plain, _ = mapped_model_of(ModelFlags(EXAMPLES), StoreFlags(), None)
    assert {one.merge_store.tls for one in plain.ecosystem.platforms} == {Tls.REQUIRE}


def test_nothing_is_said_to_libpq_where_nobody_said_anything():
    assert libpq_options(None, "pg-ca") == {}


def test_the_systems_cas_verify_where_the_model_names_none(tmp_path, monkeypatch):
    mine = tmp_path / "mine.pem"
    mine.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(mine))
    assert trusted_cas(None) == str(mine)
    assert trusted_cas("/etc/ssl/own.pem") == "/etc/ssl/own.pem"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        *((host, True) for host in ("", "/run/postgresql", "localhost", "127.9.9.9", "::1", "/run,::1")),
        *((host, False) for host in ("pg-data", "10.0.0.1", "localhost.example", "127.0.0.1.example")),
        *((host, False) for host in ("/run/postgresql,pg-data", "localhost,10.0.0.1")),
    ],
)
def test_a_socket_and_loopback_are_this_machine_and_nothing_else_is(host, local):
    assert is_local(host) is local


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        (None, {}),
        (Tls.DISABLE, {"Encrypt": "no", "TrustServerCertificate": "yes"}),
        (Tls.REQUIRE, {"Encrypt": "yes", "TrustServerCertificate": "yes"}),
        (Tls.VERIFY_CA, {"Encrypt": "yes", "TrustServerCertificate": "no"}),
        (Tls.VERIFY_FULL, {"Encrypt": "yes", "TrustServerCertificate": "no"}),
    ],
)
def test_sql_servers_driver_is_given_its_own_words(mode, wanted):
    place = ConnectionInfo("ms-data", 1433, "shop", "dbo", "u", "p", SourceKind.MSSQL, mode)
    assert driver_arguments(place, "source") == wanted


@pytest.mark.parametrize("mode", [Tls.REQUIRE, Tls.VERIFY_FULL])
def test_oracles_driver_is_given_an_address_in_tls_and_what_to_verify(mode):
    pytest.importorskip("oracledb", reason="Oracle's driver is not installed")
    place = ConnectionInfo("ora-data", 2484, "SHOP", "public", "u", "p", SourceKind.ORACLE, mode)
    given = driver_arguments(place, "source")
    assert "(PROTOCOL=tcps)" in given["dsn"]
    verifies = mode is Tls.VERIFY_FULL
    assert (given["ssl_context"].verify_mode is ssl.CERT_REQUIRED) == verifies
    assert given["ssl_server_dn_match"] is verifies


def test_oracle_without_a_word_is_reached_as_before():
    place = ConnectionInfo("ora-data", 1521, "SHOP", "public", "u", "p", SourceKind.ORACLE)
    assert driver_arguments(place, "source") == {}


@pytest.mark.parametrize(
    ("dsn", "tls", "ca"),
    [
        ("postgresql://u@pg/d", None, None),
        ("postgresql://u@pg/d?sslmode=prefer&connect_timeout=3", None, None),
        ("postgresql://u@pg/d?sslmode=disable", Tls.DISABLE, None),
        ("postgresql://u@pg/d?sslmode=verify-full&sslrootcert=/ca.crt", Tls.VERIFY_FULL, "/ca.crt"),
        ("postgresql://u@pg/d?sslmode=verify-full&sslrootcert=system", Tls.VERIFY_FULL, None),
        ("mysql+pymysql://u@my/d?charset=utf8mb4&sslmode=require", Tls.REQUIRE, None),
    ],
)
def test_a_database_is_described_in_the_tls_that_its_dsn_demands(dsn, tls, ca):
    place = place_of_dsn(dsn, "public", "x")
    assert (place.tls, place.tls_ca) == (tls, ca)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u@pg/d?sslmode=verify_full",
        "postgresql://u@pg/d?sslmode=require&sslmode=disable",
        "mysql://u@my/d?ssl_ca=/ca.crt",
        "mysql://u@my/d?tls=true",
        "mssql://u@ms/d?Encrypt=yes",
    ],
)
def test_a_demand_of_tls_that_is_not_understood_is_not_passed_over(dsn):
    with pytest.raises(DsnMalformed, match=r"\?sslmode="):
        place_of_dsn(dsn, "public", "x")
