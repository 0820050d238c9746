"""Sessions with MariaDB and MySQL in TLS: a server that has it, a wrong name, a stranger who wants the password."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from config_schema.model import SourceKind
from config_schema.tls import Tls
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.errors import ConnectFailed
from merge_jobs.sources.sql.source import SqlAlchemySource
from tests.certificates import Authority
from tests.database.merge.producers import mariadb
from tests.middle import MySqlMiddle

WORD = "geheim"
IN_TLS = "SHOW STATUS LIKE 'Ssl_cipher'"


@pytest.fixture(scope="module", params=[True, False], ids=["tls", "no_tls"])
def maria(request, authorities: tuple[Authority, Authority]) -> Iterator[tuple[int, bool]]:
    """The port of a MariaDB with a certificate for 127.0.0.1, or of one without TLS; and whether it has TLS."""
    how = {"certificate": authorities[0].issue("127.0.0.1")} if request.param else {}
    with mariadb(*(() if request.param else ("--skip-ssl",)), **how) as port:
        yield port, request.param


def place_at(port: int, **more: Any) -> ConnectionInfo:
    return ConnectionInfo("127.0.0.1", port, "mysql", "public", "producer", WORD, SourceKind.MYSQL, **more)


def in_tls(place: ConnectionInfo) -> bool:
    with SqlAlchemySource(place) as source:
        return bool(source._session.exec_driver_sql(IN_TLS).one()[1])


def test_a_server_is_reached_in_tls_where_it_has_it(maria):
    port, has_tls = maria
    assert in_tls(place_at(port)) == has_tls
    assert not in_tls(place_at(port, tls=Tls.DISABLE))


@pytest.mark.parametrize("mode", [Tls.REQUIRE, Tls.VERIFY_CA, Tls.VERIFY_FULL])
def test_a_mode_is_kept_or_the_server_refused_with_the_key_to_set(mode, maria, authorities):
    port, has_tls = maria
    place = place_at(port, tls=mode, tls_ca=str(authorities[0].ca) if mode.verifies else None)
    if has_tls:
        assert in_tls(place)
        return
    with pytest.raises(ConnectFailed, match="write tls: disable for the database in the model") as caught:
        in_tls(place)
    assert not caught.value.retryable


def test_a_wrong_name_and_a_strangers_ca_are_refused(maria, authorities):
    port, has_tls = maria
    if not has_tls:
        pytest.skip("this server shows no certificate")
    own, other = authorities
    place = replace(place_at(port, tls=Tls.VERIFY_CA, tls_ca=str(own.ca)), host="localhost")
    assert in_tls(place)
    with pytest.raises(ConnectFailed, match="Name the host as its certificate does"):
        in_tls(replace(place, tls=Tls.VERIFY_FULL))
    for mode in (Tls.VERIFY_CA, Tls.VERIFY_FULL):
        with pytest.raises(ConnectFailed, match="tls_ca of the database in the model"):
            in_tls(place_at(port, tls=mode, tls_ca=str(other.ca)))
    with pytest.raises(ConnectFailed, match="mount the Secret or ConfigMap"):
        in_tls(place_at(port, tls=Tls.VERIFY_FULL, tls_ca="not-mounted"))


WAYS_TO_ASK = ["mysql_clear_password", "dialog", "sha256_password", "caching_sha2_password"]


@pytest.mark.parametrize("mode", [None, Tls.REQUIRE, Tls.VERIFY_FULL])
@pytest.mark.parametrize(
    ("plugin", "begin"),
    [
        *((plugin, "mysql_native_password") for plugin in WAYS_TO_ASK),
        ("sha256_password", "sha256_password"),
        ("caching_sha2_password", "caching_sha2_password"),
    ],
)
def test_a_man_in_the_middle_gets_no_password(plugin, begin, mode, authorities):
    place = {"tls": mode, "tls_ca": str(authorities[0].ca) if mode is Tls.VERIFY_FULL else None}
    with (
        MySqlMiddle(plugin, begin).listening() as middle,
        pytest.raises(ConnectFailed, match="tls: disable") as caught,
    ):
        in_tls(place_at(middle.port, **place))
    assert middle.connections
    assert WORD.encode() not in middle.heard
    assert not caught.value.retryable


@pytest.mark.parametrize("plugin", WAYS_TO_ASK)
def test_the_man_in_the_middle_would_hear_a_password(plugin):
    with MySqlMiddle(plugin).listening() as middle, pytest.raises(ConnectFailed):
        in_tls(place_at(middle.port, tls=Tls.DISABLE))
    assert WORD.encode() in middle.heard
