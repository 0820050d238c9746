"""What doctor says of the way to the databases: what a session used, and what nobody demands."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import config_schema
from airflow_plugin.control.connection import connect
from airflow_plugin.doctor import merge_store as doctor_merge_store
from airflow_plugin.doctor import tls as doctor_tls
from airflow_plugin.doctor.finding import Area
from airflow_plugin.doctor.merge_store import merge_store_findings
from airflow_plugin.doctor.tls import platform_tls_findings, session_findings
from airflow_plugin.settings import PlatformSettings
from config_schema.load import load_model
from config_schema.model import SourceKind
from tests.middle import PostgresMiddle
from tests.tls_server import WORD, TlsServer

EXAMPLES = Path(config_schema.__file__).parent / "examples"


def said(dsn: str) -> list[tuple[str, str]]:
    with closing(connect(dsn, "there")) as connection:
        return [(one.level.value, one.what) for one in session_findings(Area("tls"), connection, dsn, "there")]


@pytest.fixture
def far(monkeypatch):
    """The servers of these tests as if they were on another machine."""
    monkeypatch.setattr(doctor_tls, "leads_here", lambda parts: False)
    monkeypatch.delenv("PGSSLMODE", raising=False)


def test_what_a_session_really_used_is_shown_and_what_nobody_demands_is_warned_of(far, tls_server: TlsServer, postgres):
    dsn = f"postgresql://plain:{WORD}@127.0.0.1:{tls_server.port}/postgres"
    [(level, what)] = said(f"{dsn}?sslmode=verify-full&sslrootcert={tls_server.ca}")
    assert level == "ok"
    assert what.startswith("there: TLSv1.3 with TLS_")
    assert what.endswith("sslmode verify-full")
    [(level, what)] = said(dsn)
    assert (level, "but nothing demands it" in what) == ("warning", True)
    assert said(f"{dsn}?sslmode=disable") == [("ok", "there: no TLS (tls: disable)")]
    [(level, what)] = said(postgres.dsn())
    assert (level, "no TLS: rows are readable" in what) == ("warning", True)


def test_a_server_on_this_machine_needs_none(postgres):
    assert said(postgres.dsn()) == [("ok", "there: no TLS (the server is on this machine)")]


def test_databases_of_the_model_of_which_nobody_demands_tls_are_named(monkeypatch):
    monkeypatch.delenv("PGSSLMODE", raising=False)
    model = load_model(EXAMPLES)
    settings = PlatformSettings(original_platform_name="YellowLive")
    assert list(platform_tls_findings(settings, model)) == []
    (store,) = model.ecosystem.datastores
    open_store = replace(store, source=replace(store.source, tls=None))
    silent = replace(model, ecosystem=replace(model.ecosystem, datastores=(open_store,)))
    (found,) = platform_tls_findings(settings, silent)
    assert (found.level.value, found.what) == ("warning", "nothing demands TLS of 1 databases (source of Store1)")
    assert list(platform_tls_findings(replace(settings, least_tls="require"), silent)) == []
    for kind, database in ((SourceKind.REST, "/v2"), (SourceKind.FILES, "s3://bucket/in")):  # these go by https
        there = replace(open_store.source, kind=kind, database=database)
        by_https = replace(model.ecosystem, datastores=(replace(store, source=there),))
        assert list(platform_tls_findings(settings, replace(model, ecosystem=by_https))) == []
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    (found,) = platform_tls_findings(settings, model)
    assert found.what == "PGSSLMODE is set here, and does not reach jobs"


def test_where_jobs_run_here_each_source_is_looked_at(monkeypatch, tls_server: TlsServer):
    model = load_model(EXAMPLES)
    (store,) = model.ecosystem.datastores
    here = replace(store.source, host="127.0.0.1", port=tls_server.port, database="postgres")
    model = replace(model, ecosystem=replace(model.ecosystem, datastores=(replace(store, source=here),)))
    monkeypatch.setenv("CUSTOMER_DB_USERNAME", "plain")
    monkeypatch.setenv("CUSTOMER_DB_PASSWORD", WORD)
    settings = PlatformSettings(
        original_platform_name="YellowLive",
        runners=("process",),
        source_hosts=(f"127.0.0.1:{tls_server.port}",),
        source_credential_secret_names=("customer-db",),
    )
    (found,) = platform_tls_findings(settings, model)
    assert found.what.startswith(f"source of Store1, plain@127.0.0.1:{tls_server.port}/postgres: TLSv1.3 with ")


@pytest.mark.parametrize("admitted", ["the secret", "the server", "both apart"])
def test_a_server_that_only_the_model_names_gets_no_password_and_an_admitted_one_no_other_secret(monkeypatch, admitted):
    model = load_model(EXAMPLES)
    (store,) = model.ecosystem.datastores
    monkeypatch.setenv("CUSTOMER_DB_USERNAME", "plain")
    monkeypatch.setenv("CUSTOMER_DB_PASSWORD", WORD)
    with PostgresMiddle().listening() as middle:
        there = replace(store.source, host="127.0.0.1", port=middle.port)
        model = replace(model, ecosystem=replace(model.ecosystem, datastores=(replace(store, source=there),)))
        settings = PlatformSettings(
            original_platform_name="YellowLive",
            runners=("process",),
            source_hosts=("x:1",) if admitted == "the secret" else (f"127.0.0.1:{middle.port}",),
            source_credential_secret_names=("producer" if admitted == "the server" else "customer-db",),
            source_credential_hosts={"customer-db": ("x:1",)} if admitted == "both apart" else {},
        )
        (found,) = platform_tls_findings(settings, model)
    assert middle.connections == 0
    assert (found.code, "source of Store1 is not looked at" in found.what) == ("DF3616", True)


@pytest.mark.parametrize("differs", ["the server", "the secret", None])
def test_a_merge_store_that_only_the_model_names_gets_no_password_and_an_admitted_one_in_the_least_tls(
    monkeypatch, differs
):
    monkeypatch.setattr(doctor_merge_store, "airflow_is_here", lambda: False)
    monkeypatch.delenv("DAGFACTORY_YELLOWLIVE_DSN", raising=False)
    monkeypatch.setenv("POSTGRES_USERNAME", "plain")
    monkeypatch.setenv("POSTGRES_PASSWORD", WORD)
    model = load_model(EXAMPLES)
    with PostgresMiddle().listening() as middle:
        platforms = [
            replace(one, merge_store=replace(one.merge_store, host="127.0.0.1", port=middle.port, tls=None))
            for one in model.ecosystem.platforms
        ]
        model = replace(model, ecosystem=replace(model.ecosystem, platforms=tuple(platforms)))
        settings = PlatformSettings(
            original_platform_name="YellowLive",
            postgres_hostname="127.0.0.1",
            postgres_port=1 if differs == "the server" else middle.port,
            postgres_database=platforms[0].merge_store.database,
            postgres_credential_secret_name="another" if differs == "the secret" else "postgres",
            least_tls="require",
        )
        (found,) = merge_store_findings(settings, model)
    assert middle.without_tls == 0
    if differs:
        assert (middle.connections, found.code) == (0, "DF1013")
    else:
        assert (middle.connections > 0, "offers no TLS" in found.what) == (True, True)
