"""The meaning of PostgreSQL's errors: why a connection failed, and whether a retry can help. Pure text.

The driver gives no SQLSTATE if a connection fails, so libpq's text is used (PostgreSQL 15 to 18).
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class ConnectFailure:
    """A sign in libpq's text, what it means, what to do, and whether trying again can help."""

    sign: str
    what: str
    todo: str
    retryable: bool


FAILURES = (
    ConnectFailure(
        "requested a cleartext password",
        "the server asks for the password in clear text, and offers no TLS to send it in",
        "Switch TLS on at the server and write tls: require for the database in the model (sslmode in a DSN), or "
        "tls: disable where the network is trusted",
        False,
    ),
    ConnectFailure(
        "server does not support SSL",
        "the server offers no TLS, and tls wants it",
        "Switch TLS on at the server, or write tls: disable for the database in the model (sslmode in a DSN) where the "
        "network is trusted",
        False,
    ),
    ConnectFailure(
        "server certificate for .* does not match host name",
        "the server's certificate is not for this host name",
        "Name the host as its certificate does, or write tls: verify-ca with a CA of your own in tls_ca",
        False,
    ),
    ConnectFailure(
        "certificate verify failed",
        "the server's certificate is not signed by the CA that is trusted, or it is out of date",
        "Give the CA that signed it in tls_ca of the database in the model (sslrootcert in a DSN)",
        False,
    ),
    ConnectFailure(
        "root certificate file .* does not exist|could not read root certificate file",
        "the file with the CA cannot be read",
        "Correct tls_ca, or mount the Secret or ConfigMap that it names",
        False,
    ),
    ConnectFailure(
        "no pg_hba.conf entry.*(no encryption|SSL off)",
        "the server does not admit this user from here without TLS",
        "Write tls: require for the database in the model (sslmode in a DSN), or ask the server's administrator",
        False,
    ),
    ConnectFailure("password authentication failed", "wrong user name or password", "Check both", False),
    ConnectFailure("no password supplied", "no password was given", "Give one", False),
    ConnectFailure(
        "no pg_hba.conf entry", "the server does not admit this user from here", "Ask its administrator", False
    ),
    ConnectFailure(
        "database .* does not exist", "the database does not exist", "Create it, or correct the name", False
    ),
    ConnectFailure("role .* does not exist", "the user does not exist", "Create it, or correct the name", False),
    ConnectFailure(
        "permission denied for database", "the user may not connect to the database", "Grant CONNECT", False
    ),
    ConnectFailure("Connection refused", "nobody listens there", "Start the server, or correct host and port", True),
    ConnectFailure("could not translate host name", "the host is not known", "Correct the host's name", True),
    ConnectFailure("timeout expired|timed out", "no answer in time", "Check host, port and network", True),
    ConnectFailure("Network is unreachable|No route to host", "the host cannot be reached", "Check the network", True),
    ConnectFailure(
        "too many clients|too many connections|remaining connection slots",
        "all connections are taken",
        "Try again later",
        True,
    ),
    ConnectFailure("starting up|shutting down|recovery mode", "the server is starting or stopping", "Try again", True),
    ConnectFailure("closed the connection unexpectedly", "the server closed the connection", "Try again", True),
    ConnectFailure("SSL", "no TLS connection could be made", "Check tls (sslmode in a DSN) and certificates", False),
)
# Lost connections, other transactions in the way, a server short of something or with trouble in its files.
SESSION_CLASSES = frozenset(["08", "28"])  # connections, and who is let in
RETRYABLE_CLASSES = frozenset(["08", "40", "53", "58"])
# Read only for now, locks, statements and sessions that the server ended. Not 57P04: the database was dropped.
RETRYABLE_STATES = frozenset(["25006", "55006", "55P03", "57014", "57P01", "57P02", "57P03", "57P05"])


def connect_failure(said: str) -> ConnectFailure | None:
    """Return the meaning of libpq's text of a failed connection; None if it is not a known one."""
    return next((failure for failure in FAILURES if re.search(failure.sign, said)), None)


def of_session(sqlstate: str | None) -> bool:
    """Return whether an error is about the session, not a statement: its text may have users, hosts and addresses."""
    return sqlstate is not None and sqlstate[:2] in SESSION_CLASSES


def retry_can_help(sqlstate: str | None) -> bool:
    """Return whether a retry can help, by SQLSTATE; None is an error of the driver: the connection was lost."""
    return sqlstate is None or sqlstate[:2] in RETRYABLE_CLASSES or sqlstate in RETRYABLE_STATES
