"""TLS with the drivers of databases that are not PostgreSQL, as far as each driver supports it."""

from __future__ import annotations

import ssl
from typing import Any, assert_never

from config_schema.errors import StreamFactoryError
from config_schema.model import SourceKind
from config_schema.tls import Tls, trusted_cas
from merge_jobs.database.connections import CONNECT_SECONDS, ConnectionInfo
from merge_jobs.errors import ConnectFailed

# No public key: PyMySQL takes it for the server's own, and fails before it encrypts the password for a stranger.
NO_KEY = b"none"


class ClearTextRefused(Exception):
    """Without TLS, a server asked for the password in clear text, or encrypted by a key that it had just sent."""


def driver_arguments(place: ConnectionInfo, where: str) -> dict[str, Any]:
    """Return the arguments of the driver's connect(). Raises StreamFactoryError for a CA that cannot be read."""
    match place.kind:
        case SourceKind.MYSQL:
            return _mysql(place, where)
        case SourceKind.MSSQL:
            return _sql_server(place, where)
        case SourceKind.ORACLE:
            return _oracle(place, where)
        case SourceKind.POSTGRESQL | SourceKind.SQLITE | SourceKind.FILES | SourceKind.REST:  # not by SQLAlchemy
            return {}
    assert_never(place.kind)


def _mysql(place: ConnectionInfo, where: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS}
    if place.tls is Tls.DISABLE:
        return arguments | {"ssl_disabled": True}
    guarded = arguments | {"auth_plugin_map": _guarded_plugins(), "server_public_key": NO_KEY}
    return guarded if place.tls is None else guarded | {"ssl": tls_context(place, where)}


def _sql_server(place: ConnectionInfo, where: str) -> dict[str, Any]:
    # The words of Microsoft's ODBC driver 18; its default is to encrypt and to verify.
    if place.tls is None:
        return {}
    verifies = "no" if place.tls.verifies else "yes"
    encrypts = "no" if place.tls is Tls.DISABLE else "yes"
    return {"Encrypt": encrypts, "TrustServerCertificate": verifies}


def _oracle(place: ConnectionInfo, where: str) -> dict[str, Any]:
    if place.tls in (None, Tls.DISABLE):
        return {}  # its login never sends the password itself
    import oracledb  # type: ignore[import-not-found,unused-ignore]  # only in images that have it

    parameters = oracledb.ConnectParams(
        protocol="tcps",
        host=place.host,
        port=place.port,
        sid=place.database,
        ssl_server_dn_match=place.tls is Tls.VERIFY_FULL,
        tcp_connect_timeout=CONNECT_SECONDS,
    )
    return {
        "dsn": parameters.get_connect_string(),
        "ssl_context": tls_context(place, where),
        "ssl_server_dn_match": place.tls is Tls.VERIFY_FULL,
    }


def tls_context(place: ConnectionInfo, where: str) -> ssl.SSLContext:
    """Return a context that verifies the server as the mode says. Raises ConnectFailed for an unreadable CA file."""
    assert place.tls is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = place.tls is Tls.VERIFY_FULL
    if not place.tls.verifies:
        context.verify_mode = ssl.CERT_NONE
        return context
    file = trusted_cas(place.tls_ca)
    try:
        context.load_verify_locations(cafile=file)
    except (OSError, ssl.SSLError):
        what = f"the file with the CA cannot be read ({file})"
        todo = "Correct tls_ca, or mount the Secret or ConfigMap that it names"
        raise ConnectFailed(where, what, todo, retryable=False, sqlstate=None) from None
    return context


def connecting_failed(error: BaseException, where: str) -> StreamFactoryError | None:
    """Return the error of a connection that failed because of TLS; None if TLS is not the cause."""
    said = _found(error)
    if said is None:
        return None
    return ConnectFailed(where, *said, retryable=False, sqlstate=None)


def _found(error: BaseException | None) -> tuple[str, str] | None:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, ClearTextRefused):
            return (
                "the server asks for the password in clear text, and offers no TLS to send it in",
                "Switch TLS on at the server and write tls: require for the database in the model, or tls: disable "
                "where the network is trusted",
            )
        if isinstance(error, ssl.SSLCertVerificationError):
            if "ostname mismatch" in str(error) or "IP address mismatch" in str(error):
                todo = (
                    "Name the host as its certificate does, or write tls: verify-ca with the CA of your own in tls_ca"
                )
                return "the server's certificate is not for this host name", todo
            todo = "Give the CA that signed it in tls_ca of the database in the model"
            return "the server's certificate is not signed by the CA that is trusted, or it is out of date", todo
        if "SSL is required but the server doesn't support it" in str(error):
            todo = "Switch TLS on at the server, or write tls: disable for the database in the model"
            return "the server offers no TLS, and tls wants it", todo + " where the network is trusted"
        error = error.__cause__ or getattr(error, "orig", None) or error.__context__
    return None


def _guarded_plugins() -> dict[bytes, type]:
    """Return PyMySQL's login methods that show the password to the server, each limited to TLS."""
    return {
        b"mysql_clear_password": _ClearText,
        b"dialog": _Dialog,
        b"sha256_password": _Sha256,
        b"caching_sha2_password": _CachingSha2,
    }


class _Guard:
    """A login method; PyMySQL creates one for each connection and calls `authenticate`."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def check_secure(self) -> None:
        """Raise ClearTextRefused without TLS."""
        if not self.connection._secure:
            raise ClearTextRefused


class _Dialog(_Guard):
    def authenticate(self, packet: Any) -> Any:
        self.check_secure()
        raise AttributeError("authenticate")  # PyMySQL then answers to prompts by itself


class _ClearText(_Guard):
    def authenticate(self, packet: Any) -> Any:
        self.check_secure()
        self.connection.write_packet(self.connection.password + b"\0")
        answer = self.connection._read_packet()
        answer.check_error()
        return answer


class _Sha256(_Guard):
    def authenticate(self, packet: Any) -> Any:
        from pymysql._auth import sha256_password_auth  # type: ignore[import-untyped]  # it has no types

        self.check_secure()
        return sha256_password_auth(self.connection, packet)


class _CachingSha2(_Guard):
    """A proof without the password is enough while the server knows the user; otherwise it needs the password."""

    def authenticate(self, packet: Any) -> Any:
        from pymysql._auth import caching_sha2_password_auth

        try:
            return caching_sha2_password_auth(self.connection, packet)
        except (ValueError, RuntimeError):
            if self.connection._secure:
                raise
            raise ClearTextRefused from None
