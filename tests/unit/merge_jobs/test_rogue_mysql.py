"""A producer's MySQL server that asks its client for files: LOAD DATA LOCAL needs no statement of the client's."""

from __future__ import annotations

import contextlib

import pytest

from config_schema.model import SourceKind
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.sources.sql.engine import source_engine
from tests.middle import MySqlMiddle, _greeting

WELCOME = b"\x00\x00\x00\x02\x00\x00\x00"


class AsksForFiles(MySqlMiddle):
    """Lets everybody in, and answers each statement after `before` of them by asking for a file."""

    def __init__(self, file: str, before: int) -> None:
        super().__init__("mysql_native_password")
        self._file, self._before = file.encode(), before

    def talk(self, client) -> None:
        self._send(client, 0, _greeting("mysql_native_password"))
        number, _ = self._read(client)
        self._send(client, number + 1, WELCOME)
        while True:
            self._read(client)
            self._before -= 1
            if self._before < 0:
                self._send(client, 1, b"\xfb" + self._file)
                while part := self._read(client)[1]:
                    self.heard += part
            self._send(client, 1, WELCOME)


@pytest.mark.parametrize("before", [1, 2, 3])
def test_a_server_gets_no_file_of_ours(tmp_path, before):
    secret = tmp_path / "secret"
    secret.write_text("the-word-of-another-database")
    with AsksForFiles(str(secret), before).listening() as server:
        place = ConnectionInfo("127.0.0.1", server.port, "d", "d", "u", "p", SourceKind.MYSQL)
        with contextlib.suppress(Exception), source_engine(place, "here").connect() as session:
            for _ in range(3):
                session.exec_driver_sql("SELECT 1")
    assert server.connections == 1
    assert b"the-word" not in server.heard
