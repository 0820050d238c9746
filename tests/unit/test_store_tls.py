"""Which DSNs of a merge store get the TLS that the settings demand: all that lead to another machine, in any way."""

from __future__ import annotations

import pytest
from psycopg2.extensions import parse_dsn

from airflow_plugin.bootstrap.logins.target import of_settings
from airflow_plugin.settings import PlatformSettings
from airflow_plugin.store_tls import StoreTls, dsn_with_tls
from config_schema.tls import Tls

DEMANDED = StoreTls(Tls.VERIFY_FULL, "/ca.crt", "pg-data")


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for variable in ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGSSLMODE", "PGSSLROOTCERT"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("dsn", "environment"),
    [
        ("host=pg-data dbname=d", {}),
        ("host=/run/postgresql,pg-data dbname=d", {}),
        ("postgresql://u@localhost:5432,pg-data:5432/d", {}),
        ("host=localhost hostaddr=10.0.0.5 dbname=d", {}),
        ("host=localhost hostaddr=127.0.0.1,10.0.0.5 dbname=d", {}),
        ("host=localhost dbname=d", {"PGHOSTADDR": "10.0.0.5"}),
        ("dbname=d", {"PGHOST": "pg-data"}),
        ("service=store", {}),
        ("dbname=d", {"PGSERVICE": "store"}),
    ],
)
def test_tls_is_demanded_of_each_way_to_another_machine(monkeypatch, dsn, environment):
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    for weaker in ("", " sslmode=disable"):
        given = dsn if dsn.startswith("postgresql:") else f"{dsn}{weaker}"
        parts = parse_dsn(dsn_with_tls(given, DEMANDED))
        assert (parts["sslmode"], parts["sslrootcert"]) == ("verify-full", "/ca.crt")


@pytest.mark.parametrize("dsn", ["dbname=d", "host=/run/postgresql dbname=d", "postgresql://u@127.0.0.1:6432/d"])
def test_the_sessions_of_a_proxy_on_this_machine_are_its_concern(dsn):
    assert dsn_with_tls(dsn, DEMANDED) == dsn
    at_home = StoreTls(DEMANDED.mode, DEMANDED.ca, "localhost")
    assert parse_dsn(dsn_with_tls(dsn, at_home))["sslmode"] == "verify-full"


@pytest.mark.parametrize("where", ["the settings", "the environment"])
def test_the_login_that_makes_logins_has_the_least_tls_too(tmp_path, where):
    """It may be a superuser's."""
    demanded = where == "the settings"
    settings = PlatformSettings(
        original_platform_name="YellowLive",
        postgres_hostname="pg-data",
        postgres_database="d",
        postgres_credential_secret_name="postgres",
        least_tls="verify-full" if demanded else None,
    )
    (path := tmp_path / "yellowlive.settings.json").write_text(settings.to_json())
    environment = {"DAGFACTORY_ADMIN_DSN": "host=pg-data user=postgres password=x"}
    environment |= {} if demanded else {"DAGFACTORY_LEAST_TLS": "verify-full"}
    environment |= {"POSTGRES_USERNAME": "owner", "POSTGRES_PASSWORD": "x"}
    target = of_settings(path)
    for _, dsn in (target.admin(environment), target.owner(environment)):
        assert parse_dsn(dsn)["sslmode"] == "verify-full"
