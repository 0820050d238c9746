"""Which errors of PostgreSQL are worth a retry. What libpq really says is tested with a server."""

from __future__ import annotations

import pytest
from psycopg2 import errorcodes

from config_schema.sql.postgres_errors import FAILURES, connect_failure, retry_can_help


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        ("SERIALIZATION_FAILURE", True),
        ("DISK_FULL", True),
        ("LOCK_NOT_AVAILABLE", True),
        ("ADMIN_SHUTDOWN", True),
        ("READ_ONLY_SQL_TRANSACTION", True),
        ("DATABASE_DROPPED", False),
        ("UNDEFINED_TABLE", False),
        ("INVALID_PASSWORD", False),
        ("UNIQUE_VIOLATION", False),
    ],
)
def test_an_error_that_may_pass_by_itself_is_worth_a_retry(error, retryable):
    assert retry_can_help(getattr(errorcodes, error)) is retryable


def test_a_lost_connection_has_no_state_and_is_worth_a_retry():
    assert retry_can_help(None)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ('FATAL:  password authentication failed for user "ann"', "wrong user name or password"),
        ('FATAL:  role "ann" does not exist', "the user does not exist"),
        ("FATAL:  sorry, too many clients already", "all connections are taken"),
        ('FATAL:  too many connections for role "ann"', "all connections are taken"),
        ("FATAL:  the database system is starting up", "the server is starting or stopping"),
        ("server does not support SSL, but SSL was required", "the server offers no TLS, and tls wants it"),
        ("SSL error: unsupported protocol", "no TLS connection could be made"),
    ],
)
def test_what_libpq_says_has_a_meaning(said, what):
    failure = connect_failure(said)
    assert failure is not None
    assert failure.what == what


def test_another_text_has_none_and_no_meaning_stands_there_twice():
    assert connect_failure("a text that nobody knows") is None
    assert len({failure.what for failure in FAILURES}) == len(FAILURES)
